"""The HTTP endpoint that Prometheus asks: one page, a few connections at a time, none for long.

`prometheus_client` has a server, too, but it starts a thread for every connection and lets each last.
"""

import contextlib
import http.server
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from serving.errors import AddressError
from serving.operations.exposition import ServerCollector, ServerCounts, text_of

MAX_CONNECTIONS = 8
MAX_SECONDS = 10.0
POLL_SECONDS = 0.25

log = logging.getLogger(__name__)


def start_metrics(
    host: str, port: int, collect: Callable[[], ServerCounts], tls: ssl.SSLContext | None = None
) -> tuple[int, Callable[[], None]]:
    """Serve metrics at `/metrics` from a thread.

    Args:
        host: to listen on.
        port: 0 takes any free one.
        collect: tells the counts; several threads may ask at the same time.
        tls: to talk over; None for plain HTTP.

    Returns:
        The port, and what stops serving.

    Raises:
        AddressError: the address is taken or not this machine's.
    """
    try:
        server = _Server(host, port, ServerCollector(collect), tls)
    except OSError as error:
        raise AddressError(
            f"the metrics cannot be served on {host}:{port} ({error.strerror or error}): "
            "stop what listens there or choose another --metrics-port"
        ) from error
    thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), name="metrics", daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return server.server_address[1], stop


class _Server(http.server.ThreadingHTTPServer):
    """Bounds how many connections there are, and cuts those that last."""

    def __init__(self, host: str, port: int, collector: ServerCollector, tls: ssl.SSLContext | None) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family, *_, address = found[0]
        self.collector = collector
        self._tls = tls
        self._lock = threading.Lock()
        self._open: dict[socket.socket, float] = {}
        super().__init__(address[:2], _Handler)  # type: ignore[arg-type]  # the stub knows IPv4's alone

    def server_bind(self) -> None:
        """Bind, without the look-up of this machine's name that the base class does."""
        super(http.server.HTTPServer, self).server_bind()

    def get_request(self) -> tuple[Any, Any]:
        """The next connection; its TLS handshake is left to its thread."""
        connection, address = super().get_request()
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ANN401, ARG002  (the base's)
        """Whether there is a thread left for a connection."""
        with self._lock:
            if len(self._open) >= MAX_CONNECTIONS:
                return False
            self._open[request] = time.monotonic()
        return True

    def service_actions(self) -> None:
        """Cut connections that have had their time; called several times a second."""
        oldest = time.monotonic() - MAX_SECONDS
        with self._lock:
            late = [connection for connection, since in self._open.items() if since < oldest]
        for connection in late:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401  (the base's)
        """Close a connection."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002  (the base's)
        """Say nothing of connections that broke, which is their clients' business."""
        log.debug("a connection of %s broke", client_address, exc_info=True)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    server_version = "keraport"
    sys_version = ""
    timeout = MAX_SECONDS

    def do_GET(self) -> None:
        """Answer with the metrics."""
        if self.path.partition("?")[0] != "/metrics":
            self._send(HTTPStatus.NOT_FOUND, b"the metrics are at /metrics\n", "text/plain")
            return
        try:
            text, content_type = text_of(self.server.collector, self.headers.get("Accept", ""))
        except Exception:
            log.exception("the metrics could not be collected")
            text = b"the metrics could not be collected: the server's log has the details\n"
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, text, "text/plain")
            return
        self._send(HTTPStatus.OK, text, content_type)

    def _send(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base's)
        """Log nothing: a scrape is no event."""
