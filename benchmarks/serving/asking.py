"""One inference, asked by Python: the only way to see that an answer is right."""

import socket
import urllib.request
from collections.abc import Mapping

import grpc
import numpy as np

from benchmarks.serving.answers import Answer, check, read
from benchmarks.serving.body import Request
from benchmarks.serving.errors import BenchmarkError
from benchmarks.serving.servers import METHOD, Server

ASK_SECONDS = 60.0
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def listening(port: int) -> bool:
    """Whether anything listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ask(server: Server, port: int, request: Request, output_shape: tuple[int, ...]) -> Answer:
    """Ask once.

    Args:
        server: that is asked.
        port: where it listens.
        request: what.
        output_shape: of `probabilities`, which are all that a server of bare pixels answers.

    Raises:
        grpc.RpcError: it refused.
        OSError: it refused, over HTTP.
    """
    if server.http1:
        call = urllib.request.Request(server.target(port).url, data=server.body(request))  # noqa: S310
        call.add_header("content-type", "application/octet-stream")
        with urllib.request.urlopen(call, timeout=ASK_SECONDS) as answer:  # noqa: S310  (our own server)
            return {"probabilities": np.frombuffer(answer.read(), np.float32).reshape(output_shape)}
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=UNLIMITED) as channel:
        message: bytes = channel.unary_unary(f"/{METHOD}")(request.message, timeout=ASK_SECONDS)
    return read(message)


def answers_yet(server: Server, port: int, request: Request, right: Answer) -> bool:
    """Whether a server that is starting answers, be it wrongly."""
    if not listening(port):
        return False
    try:
        ask(server, port, request, right["probabilities"].shape)
    except (grpc.RpcError, OSError):
        return False
    return True


def verify(server: Server, port: int, requests: Mapping[int, Request], right: Mapping[int, Answer]) -> None:
    """See that each request is answered rightly.

    Raises:
        BenchmarkError: one is not.
    """
    for rows, request in requests.items():
        try:
            answer = ask(server, port, request, right[rows]["probabilities"].shape)
        except (grpc.RpcError, OSError) as error:
            raise BenchmarkError(f"{server.name} refuses {rows} rows: {error}") from error
        check(answer, right[rows], server.name)
