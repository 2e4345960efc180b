"""One inference, asked by Python: the only way to see that an answer is right."""

import socket
import urllib.request

import grpc

from benchmarks.serving.answers import Answer, check
from benchmarks.serving.body import Request, framed
from benchmarks.serving.errors import BenchmarkError
from benchmarks.serving.wires import Wire

ASK_SECONDS = 60.0
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def listening(port: int) -> bool:
    """Whether anything listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ask(wire: Wire, port: int, request: Request) -> bytes:
    """Ask once; the answer's bytes.

    Raises:
        grpc.RpcError: the server refused.
        OSError: it refused, over HTTP.
    """
    if wire.grpc:
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=UNLIMITED) as channel:
            answer: bytes = channel.unary_unary(wire.path)(wire.message(request), timeout=ASK_SECONDS)
            return answer
    call = urllib.request.Request(f"http://127.0.0.1:{port}{wire.path}", wire.body(request))
    call.add_header("content-type", "application/json")
    with urllib.request.urlopen(call, timeout=ASK_SECONDS) as reply:  # noqa: S310  (our own server)
        return bytes(reply.read())


def answers_yet(wire: Wire, port: int, request: Request) -> bool:
    """Whether a server that is starting answers, be it wrongly."""
    if not listening(port):
        return False
    try:
        ask(wire, port, request)
    except (grpc.RpcError, OSError):
        return False
    return True


def verify(wire: Wire, port: int, request: Request, right: Answer) -> int:
    """See that a request is answered rightly.

    Returns:
        The answer's length, as h2load counts it.

    Raises:
        BenchmarkError: it is not.
    """
    try:
        content = ask(wire, port, request)
    except (grpc.RpcError, OSError) as error:
        raise BenchmarkError(f"{len(request.images)} rows are refused: {error}") from error
    check(wire.answer(content, right["probabilities"].shape), right)
    return len(framed(content)) if wire.grpc else len(content)
