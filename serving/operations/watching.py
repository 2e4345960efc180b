"""Watching requests, for the access log and for traces."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from serving.errors import RequestError
from serving.operations.access import OK, Access
from serving.operations.access_log import AccessLog

# The supervisor, which checks what workers will do, does without numpy and protobuf.
if TYPE_CHECKING:
    from serving.inference import Inference, Outcome
    from serving.operations.tracing import Tracing
    from serving.statistics import BatchRun

log = logging.getLogger(__name__)

Headers = Iterable[tuple[str, object]]


class Watcher:
    """Tells the access log and the traces of every request; made once a process."""

    def __init__(
        self, code_of: Callable[[RequestError], str], access_log: AccessLog | None, tracing: "Tracing | None"
    ) -> None:
        """Prepare to watch.

        Args:
            code_of: the name of an error's status code.
            access_log: None for none.
            tracing: None for none.
        """
        self._code_of = code_of
        self._access_log = access_log
        self._tracing = tracing
        self.idle = access_log is None and tracing is None

    def watch(
        self, protocol: str, method: str, *, peer: Callable[[], str], headers: Callable[[], Headers]
    ) -> "Watch":
        """Watch a request that has just come.

        Args:
            protocol: `grpc` or `http`.
            method: the protocol's name of what is asked.
            peer: tells who asks; called when the request is over, if it is told of at all.
            headers: tells the request's headers, or gRPC's metadata; likewise.
        """
        return Watch(self, protocol, method, peer, headers)

    def tell(self, access: Access, headers: Callable[[], Headers]) -> None:
        """Tell of a request that is over."""
        trace_id = "" if self._tracing is None else self._tracing.record(access, headers())
        if self._access_log is not None and self._access_log.wants(access.status):
            self._access_log.write(access, trace_id or _trace_id(headers()))

    def close(self, within_s: float) -> None:
        """Send and write what is left; give up after a while."""
        if self._tracing is not None:
            self._tracing.stop(within_s)
        if self._access_log is not None:
            self._access_log.close()

    def status_of(self, error: BaseException | None) -> str:
        """The code that a request ends with."""
        if error is None:
            return OK
        if isinstance(error, RequestError):
            return self._code_of(error)
        return "CANCELLED" if isinstance(error, asyncio.CancelledError | GeneratorExit) else "INTERNAL"


class Watch:
    """One request, from its coming to its end: a context manager around all that is done for it.

    It keeps names and numbers, never what a client sent to be computed. Where nobody is told, it costs its
    making alone.
    """

    __slots__ = (
        *("_began", "_headers", "_id", "_method", "_model", "_peer", "_protocol", "_queue_s", "_queued"),
        *("_rows", "_run", "_version", "_watcher"),
    )

    def __init__(
        self,
        watcher: Watcher,
        protocol: str,
        method: str,
        peer: Callable[[], str],
        headers: Callable[[], Headers],
    ) -> None:
        self._began = time.perf_counter()
        self._watcher = watcher
        self._protocol = protocol
        self._method = method
        self._peer = peer
        self._headers = headers
        self._id = self._model = self._version = ""
        self._queued: float | None = None
        self._rows: int | None = None
        self._queue_s: float | None = None
        self._run: BatchRun | None = None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def about(self, model: str) -> None:
        """Say which model is steered."""
        self._model = model

    def asked(self, inference: "Inference") -> None:
        """Say what is asked for, right before it is handed to the model."""
        self._model = inference.model
        self._version = inference.version
        self._id = inference.id
        self._queued = time.perf_counter()

    def answered(self, outcome: "Outcome") -> None:
        """Say how it was answered."""
        self._version = outcome.version
        self._rows = outcome.rows
        self._queue_s = outcome.queue_s
        self._run = outcome.run

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Tell of the request."""
        if self._watcher.idle:
            return
        try:
            self._tell(error)
        except Exception:
            log.exception("a request could not be told of")  # which is no reason to fail it

    def _tell(self, error: BaseException | None) -> None:
        duration_s = time.perf_counter() - self._began
        access = Access(
            began_s=time.time() - duration_s,
            duration_s=duration_s,
            protocol=self._protocol,
            method=self._method,
            peer=self._peer(),
            status=self._watcher.status_of(error),
            id=self._id,
            model=self._model,
            version=self._version,
            queued_s=None if self._queued is None else self._queued - self._began,
            rows=self._rows,
            queue_s=self._queue_s,
            run=self._run,
        )
        self._watcher.tell(access, self._headers)


def _trace_id(headers: Headers) -> str:
    """The trace that a client says its request belongs to, by the W3C's header."""
    for key, value in headers:
        if key.lower() == "traceparent":
            parts = str(value)[:64].split("-")
            if len(parts) >= 4 and len(parts[1]) == 32 and parts[1].isalnum():  # noqa: PLR2004  (the W3C's)
                return parts[1]
    return ""
