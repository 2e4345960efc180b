"""HTTP's port: listen, stop."""

import contextlib
import math
import socket

from serving.engine import Engine
from serving.operations.watching import Watcher
from serving.rest.app import rest_app
from serving.rest.http_server import serve_http
from serving.security.certificates import Certificates
from serving.security.tls import ssl_context
from serving.security.tokens import Tokens
from serving.settings import ServerSettings

# For answers on their way out once all are made, at least.
FLUSH_SECONDS = 2.0


class HttpEndpoint:
    """An HTTP server of an engine."""

    def __init__(
        self,
        engine: Engine,
        watcher: Watcher,
        settings: ServerSettings,
        *,
        tokens: Tokens | None,
        certificates: Certificates | None,
    ) -> None:
        """Prepare to serve.

        Args:
            engine: runs the models.
            watcher: is told of every request.
            settings: the server's.
            tokens: say who may; None to let all in.
            certificates: for TLS; None for none.
        """
        self._app = rest_app(engine, watcher, settings, tokens)
        self._limits = settings.limits
        self._watcher = watcher
        self._ssl_context = None if certificates is None else ssl_context(certificates)
        self._opened = contextlib.AsyncExitStack()

    async def open(self, listener: socket.socket) -> None:
        """Serve on a socket that listens already, and that several processes may share."""
        self._server = await self._opened.enter_async_context(
            serve_http(
                self._app,
                listener,
                limits=self._limits,
                watcher=self._watcher,
                ssl_context=self._ssl_context,
            )
        )

    async def close(self, within_s: float) -> None:
        """Stop to listen, once the answers that are made have left or so many seconds are over."""
        self._server.config.timeout_graceful_shutdown = math.ceil(max(FLUSH_SECONDS, within_s))
        await self._opened.aclose()
