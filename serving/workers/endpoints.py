"""Where a worker listens: all ports open together, and are drained together."""

import asyncio
import contextlib
import logging
import socket
import time

from serving.engine import Engine
from serving.open_files import allow_open_files, connections_of
from serving.operations.observing import watcher_of
from serving.rpc.endpoint import GrpcEndpoint
from serving.rpc.status import code_name
from serving.security.certificates import Certificates
from serving.security.tokens import Tokens
from serving.workers.messages import Start

log = logging.getLogger(__name__)

# Between the last answer and the end: clients that ask again at once read a clean UNAVAILABLE from the
# service, where gRPC would answer a request that meets its shutdown with CANCELLED.
SETTLE_SECONDS = 0.1

# For spans on their way out.
TRACES_SECONDS = 2.0


class Endpoints:
    """A worker's ports."""

    def __init__(self, start: Start, engine: Engine) -> None:
        self._start = start
        self._engine = engine
        self._opened = contextlib.AsyncExitStack()
        self._grpc: GrpcEndpoint | None = None
        self._until = 0.0

    async def open(self) -> None:
        """Take requests.

        Raises:
            ServingError: it cannot listen, not log or trace requests as it is told, or not use a certificate,
                key or token file.
        """
        settings = self._start.settings
        certificates = None if settings.tls is None else Certificates(settings.tls)
        tokens = None if settings.tokens is None else Tokens(settings.tokens)
        watcher = watcher_of(settings.log, code_name)
        self._opened.callback(watcher.close, TRACES_SECONDS)
        self._grpc = GrpcEndpoint(
            self._engine,
            watcher,
            tokens,
            settings.limits,
            max_connections=connections_of(allow_open_files()),
        )
        await self._grpc.open(f"{self._start.address}:{self._start.port}", certificates)
        self._opened.push_async_callback(self._grpc.close)
        if self._start.http_socket is not None:
            from serving.rest.endpoint import HttpEndpoint  # an extra, which need not be installed

            http = HttpEndpoint(self._engine, watcher, settings, tokens=tokens, certificates=certificates)
            await http.open(socket.socket(fileno=self._start.http_socket))
            self._opened.push_async_callback(lambda: http.close(self._until - time.monotonic()))

    async def drain(self, grace_s: float) -> None:
        """Refuse what is new, answer what was accepted within so many seconds, stop to listen."""
        self._engine.draining = True
        self._until = time.monotonic() + grace_s
        try:
            async with asyncio.timeout(grace_s):
                if self._grpc is not None:
                    await self._grpc.refuse()
                await self._engine.drained()
                await asyncio.sleep(SETTLE_SECONDS)
                if self._grpc is not None:
                    await self._grpc.flushed()
        except TimeoutError:
            log.warning("requests were cut off after %g s of grace", grace_s)
        await self._opened.aclose()
