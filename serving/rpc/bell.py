"""What wakes a thread that waits for gRPC: a completion that any thread may cause."""

import socket
import time
from collections.abc import Callable

from serving.rpc.core import CompletionQueue, cygrpc

# The least that is a gRPC request (RFC 7540, 7541): HTTP/2's preface, empty settings, headers in literals.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
POST, HTTP = b"\x83", b"\x86"  # of HPACK's static table
TEXTS = ((b":path", b"/bell"), (b":authority", b"bell"), (b"te", b"trailers"))
TYPE = (b"content-type", b"application/grpc")

LOOPBACK = "127.0.0.1"
OPEN_SECONDS = 10.0


class Bell:
    """Rings in a completion queue.

    gRPC's core has completions only of what is done with a server or a call. The cheapest is a batch of no
    operations, which any call takes, over or not, and completes at once. So one request is made to a server
    of its own, which is there for no longer and takes no other, and its call is kept.
    """

    def __init__(self, queue: CompletionQueue, rung: Callable[[object], None]) -> None:
        """Hang it up; nothing else may wait for the queue meanwhile.

        Args:
            queue: to ring in.
            rung: the tag of its completions.
        """
        self._rung = rung
        server = cygrpc.Server((), False)
        server.register_completion_queue(queue)
        port = server.add_http2_port(f"{LOOPBACK}:0".encode())
        server.start()
        server.request_call(queue, queue, None)
        deadline = time.time() + OPEN_SECONDS
        with socket.create_connection((LOOPBACK, port), OPEN_SECONDS) as client:
            client.sendall(PREFACE + SETTINGS + _request())
            self._call = queue.poll(deadline).call
        server.shutdown(queue, None)
        server.cancel_all_calls()
        queue.poll(deadline)

    def ring(self) -> None:
        """Complete at once."""
        self._call.start_server_batch((), self._rung)


def _request() -> bytes:
    headers = POST + HTTP + b"".join(_literal(*pair) for pair in (*TEXTS, TYPE))
    return len(headers).to_bytes(3, "big") + b"\x01\x05\x00\x00\x00\x01" + headers


def _literal(name: bytes, value: bytes) -> bytes:
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value
