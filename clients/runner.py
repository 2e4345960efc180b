"""A live server as parity's candidate: samples go through the wire, in batches that the server may join."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, Unpack

import numpy as np

from clients.client import Client
from clients.connection import Security
from clients.errors import InputError, InvalidRequest, Overloaded, ServerFault
from export.runner import Answer, Feed, RunError

AT_ONCE = 4  # requests under way, so that the server's own batches mix them as in production
MAX_REQUEST_BYTES = 4 * 1024 * 1024
DEFAULT_ROWS = 32  # a request, where the server does not say how many it takes
TRIES, FIRST_PAUSE_S = 6, 0.1  # of a request that a busy server sheds; each pause is twice the one before


class ServerRunner:
    """Runs one version of a model by a server; it is a `Runner` as parity takes it.

    Args:
        url: HOST:PORT of its gRPC.
        model: its name.
        version: that it must serve.
        security: TLS and token, as `Client` takes them.

    Raises:
        InputError: the address is none, or the server must not be talked to so.
    """

    def __init__(self, url: str, *, model: str, version: str, **security: Unpack[Security]) -> None:
        self._client = Client(url, **security)
        self._url, self._model, self._version = url, model, version
        self._rows = DEFAULT_ROWS

    def __enter__(self) -> Self:
        """Return itself, once the server is known to serve that version.

        Raises:
            InputError: it serves another version.
            ClientError: it does not answer, or has no such model.
        """
        try:
            self._check_version()
            with contextlib.suppress(ServerFault):  # servers other than Triton's kin have no ModelConfig
                config = self._client.config(self._model, version=self._version)
                self._rows = max(1, config.max_batch_size)
        except BaseException:
            self._client.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection; requests still under way end with it."""
        self._client.close()

    def run(self, feed: Feed) -> Answer:
        """Ask for all samples, a few requests at once.

        Args:
            feed: input name to array, the first dimension counts samples.

        Returns:
            Output name to array, in the samples' order.

        Raises:
            RunError: the server rejects the samples, fails on them, or answers batches unlike each other.
            ClientError: it does not answer, or is too busy.
        """
        count = len(next(iter(feed.values())))
        size = self._request_rows(feed)
        chunks = [
            {name: array[start : start + size] for name, array in feed.items()}
            for start in range(0, count, size)
        ]
        pool = ThreadPoolExecutor(AT_ONCE)
        try:
            parts = list(pool.map(self._ask, chunks))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        return _join(parts)

    def _check_version(self) -> None:
        served = self._client.metadata(self._model).versions
        if not served:  # the protocol lets a server leave them out
            self._version = ""
        elif self._version not in served:
            raise InputError(
                f"the server at {self._url} serves {self._model} version {', '.join(served)}, not "
                f"{self._version}: name the version that it serves"
            )

    def _request_rows(self, feed: Feed) -> int:
        row = sum(array[:1].nbytes for array in feed.values())
        return max(1, min(self._rows, MAX_REQUEST_BYTES // max(1, row)))

    def _ask(self, chunk: Feed) -> Answer:
        for attempt in range(TRIES):
            try:
                return self._client.infer(self._model, chunk, version=self._version).outputs
            except Overloaded:
                if attempt == TRIES - 1:
                    raise
                time.sleep(FIRST_PAUSE_S * 2**attempt)
            except (InvalidRequest, ServerFault) as error:
                raise RunError(str(error)) from error
        raise AssertionError("the last attempt returns or raises")


def _join(parts: list[Answer]) -> Answer:
    if not parts:
        return {}
    try:
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    except (KeyError, ValueError) as error:
        raise RunError("its answers differ from batch to batch in outputs or shapes") from error
