"""HTTP's port: listen, stop."""

import contextlib
import socket
import ssl

from serving.engine import Engine
from serving.operations.watching import Watcher
from serving.rest.app import rest_app
from serving.rest.endpoints import Guard
from serving.rest.http_server import serve_http
from serving.settings import ServerSettings

# For answers on their way out once all are made.
FLUSH_SECONDS = 2.0


class HttpEndpoint:
    """An HTTP server of an engine."""

    def __init__(
        self,
        engine: Engine,
        watcher: Watcher,
        settings: ServerSettings,
        *,
        guard: Guard | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """Prepare to serve.

        Args:
            engine: runs the models.
            watcher: is told of every request.
            settings: the server's.
            guard: decides who may; None to let all in.
            ssl_context: for TLS; None for plain HTTP.
        """
        self._app = rest_app(engine, watcher, settings, guard)
        self._limits = settings.limits
        self._ssl_context = ssl_context
        self._opened = contextlib.AsyncExitStack()

    async def open(self, listener: socket.socket) -> None:
        """Serve on a socket that listens already, and that several processes may share."""
        await self._opened.enter_async_context(
            serve_http(
                self._app,
                listener,
                limits=self._limits,
                ssl_context=self._ssl_context,
                grace_s=FLUSH_SECONDS,
            )
        )

    async def close(self) -> None:
        """Stop to listen, once the answers that are made are on their way."""
        await self._opened.aclose()
