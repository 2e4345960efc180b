"""Watching requests, for the access log and for traces."""

import asyncio
import logging
import re
import time
import uuid
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

# What a request's id travels in beside the request itself, and what of it may travel so.
ID_HEADER = "x-request-id"
_PLAIN = re.compile(r"[!-~]{1,128}")

# What is asked for where nothing that the protocol knows is.
UNKNOWN = "Unknown"


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

    def refused(
        self,
        error: RequestError,
        protocol: str,
        method: str,
        *,
        peer: Callable[[], str],
        headers: Callable[[], Headers],
    ) -> None:
        """Tell of a request that was refused at the door; all else as of `watch`."""
        if not self.idle:
            self.watch(protocol, method, peer=peer, headers=headers).__exit__(type(error), error, None)

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

    Attributes:
        id: the request's own for it; may be empty.
        model: that is asked for; empty if none is, or as long as it is not known.
        version: likewise; once it was answered the one that did.
    """

    __slots__ = (
        *("_began", "_given_id", "_headers", "_method", "_peer", "_protocol", "_queue_s", "_queued"),
        *("_rows", "_run", "_watcher", "id", "model", "version"),
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
        self.id = self.model = self.version = self._given_id = ""
        self._queued: float | None = None
        self._rows: int | None = None
        self._queue_s: float | None = None
        self._run: BatchRun | None = None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    @property
    def told_id(self) -> str:
        """The request's id, else its header's, else one that is made for it if it is told of."""
        if self.id:
            return self.id
        if not self._given_id:
            self._given_id = _header_id(self._headers()) or ("" if self._watcher.idle else uuid.uuid4().hex)
        return self._given_id

    @property
    def header_id(self) -> str:
        """That id, for the answer's headers; empty if it is none or cannot travel so."""
        told = self.told_id
        return told if _PLAIN.fullmatch(told) else ""

    def about(self, model: str, version: str = "", request_id: str = "") -> None:
        """Say as soon as it is known what a request is about."""
        self.model = model
        self.version = version
        self.id = request_id

    def asked(self, inference: "Inference") -> None:
        """Say what is asked for, right before it is handed to the model."""
        self.model = inference.model
        self.version = inference.version
        self.id = inference.id
        self._queued = time.perf_counter()

    def answered(self, outcome: "Outcome") -> None:
        """Say how it was answered."""
        self.version = outcome.version
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
            id=self.told_id,
            model=self.model,
            version=self.version,
            queued_s=None if self._queued is None else self._queued - self._began,
            rows=self._rows,
            queue_s=self._queue_s,
            run=self._run,
        )
        self._watcher.tell(access, self._headers)


def _header_id(headers: Headers) -> str:
    """The id that a client, or a proxy before it, gave a request in its headers."""
    for key, value in headers:
        if key.lower() == ID_HEADER and isinstance(value, str) and _PLAIN.fullmatch(value):
            return value
    return ""


def _trace_id(headers: Headers) -> str:
    """The trace that a client says its request belongs to, by the W3C's header."""
    for key, value in headers:
        if key.lower() == "traceparent":
            parts = str(value)[:64].split("-")
            if len(parts) >= 4 and len(parts[1]) == 32 and parts[1].isalnum():  # noqa: PLR2004  (the W3C's)
                return parts[1]
    return ""
