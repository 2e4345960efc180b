"""The HTTP server: uvicorn in the loop that runs already, on a socket that listens already."""

import asyncio
import contextlib
import resource
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import uvicorn
from starlette.types import ASGIApp

from serving.open_files import connections_of
from serving.operations.watching import Watcher
from serving.rest.connections import Config, Connection, Patience
from serving.settings import Limits

KIB = 1024

# Between the last connection and the end of idle ones: what clients have just sent on them is still answered.
SETTLE_SECONDS = 0.05


class _Server(uvicorn.Server):
    """uvicorn's, which leaves signals to whoever runs it and says when it has begun."""

    def __init__(self, config: Config, ssl_context: ssl.SSLContext | None) -> None:
        super().__init__(config)
        self._settings = config
        self._ssl_context = ssl_context
        self.listening = asyncio.Event()
        self.enough = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # As uvicorn does it, but that a TLS handshake is not waited for as long as asyncio would.
        handshake_s = None if self._ssl_context is None else self._settings.patience.head_s
        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(
                self._connection,
                sock=each,
                ssl=self._ssl_context,
                ssl_handshake_timeout=handshake_s,
                backlog=self._settings.backlog,
            )
            for each in sockets or ()
        ]
        self.started = True
        self.listening.set()

    async def main_loop(self) -> None:
        while not self.enough.is_set():
            await self.on_tick(0)  # sets the date that answers carry
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.enough.wait(), 1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for each in self.servers:
            each.close()
        await asyncio.sleep(SETTLE_SECONDS)
        await super().shutdown(sockets)

    def _connection(self) -> Connection:
        return Connection(self._settings, self.server_state, {})


@contextlib.asynccontextmanager
async def serve_http(
    app: ASGIApp,
    sock: socket.socket,
    *,
    limits: Limits,
    watcher: Watcher,
    ssl_context: ssl.SSLContext | None = None,
    grace_s: float = 30.0,
    patience: Patience | None = None,
) -> AsyncIterator[uvicorn.Server]:
    """Serve from entry to exit; what was asked by then is answered.

    Args:
        app: answers.
        sock: listens already, and is closed at exit.
        limits: of headers.
        watcher: is told of what is not HTTP.
        ssl_context: for TLS; None for plain HTTP.
        grace_s: for the answers at exit, unless what is yielded was configured anew; those that are not made
            by then are given up.
        patience: with connections.
    """
    config = Config(
        app,
        _within_files(patience or Patience()),
        watcher,
        limits.max_header_kib * KIB,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",  # what clients do wrong must not fill the log
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=grace_s,
    )
    server = _Server(config, ssl_context)
    serving = asyncio.create_task(server.serve([sock]))
    listening = asyncio.create_task(server.listening.wait())
    try:
        await asyncio.wait([serving, listening], return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            await serving  # raises why
        yield server
    finally:
        listening.cancel()
        server.enough.set()
        await serving


def _within_files(patience: Patience) -> Patience:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return patience
    return replace(patience, max_connections=min(patience.max_connections, connections_of(files)))
