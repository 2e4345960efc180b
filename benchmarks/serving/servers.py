"""The servers that are compared: how each is started, where it is asked, and what it is asked with."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from benchmarks.serving.body import Request
from benchmarks.serving.h2load import Target
from benchmarks.serving.models import ROOT, Model
from benchmarks.serving.processes import Command

HERE = Path(__file__).resolve().parent
PEERS = HERE / "peers"
METHOD = "inference.GRPCInferenceService/ModelInfer"


class Kind(StrEnum):
    """What a server stands for."""

    OURS = "ours"
    LIMIT = "limit"
    PEER = "peer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a server is to serve.

    Attributes:
        model: one.
        port: on 127.0.0.1.
        workers: processes that answer.
        folder: for the server's own files.
        answers: a folder with the right answers, each called as its request is long.
        python: the interpreter of its environment.
    """

    model: Model
    port: int
    workers: int
    folder: Path
    answers: Path
    python: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One of those compared.

    Attributes:
        name: on the command line and in the results.
        kind: what it stands for.
        command: how it is started.
        environment: of its own, under `environments/`; that of this process if None.
        http1: it takes bare pixels over HTTP/1.1; gRPC otherwise.
        ready_s: how long it may take to start.
        packages: whose versions the results name.
    """

    name: str
    kind: Kind
    command: Callable[[Order], Command]
    environment: str | None = None
    http1: bool = False
    ready_s: float = 60.0
    packages: tuple[str, ...] = ("grpcio", "onnxruntime")

    def target(self, port: int) -> Target:
        """What is loaded."""
        path = "predict" if self.http1 else METHOD
        return Target(url=f"http://127.0.0.1:{port}/{path}", http1=self.http1)

    def body(self, request: Request) -> bytes:
        """What is sent."""
        return request.images.tobytes() if self.http1 else request.framed


def _keraport(order: Order) -> Command:
    options = ["--repository", order.model.repository, "--port", order.port, "--workers", order.workers]
    return Command(
        arguments=[
            order.python,
            "-m",
            "keraport",
            "serve",
            *map(str, options),
            "--http-port=off",
            "--metrics-port=off",
        ],
        environment={"PYTHONPATH": str(ROOT)},
        folder=order.folder,
    )


def _script(name: str, argument: Callable[[Order], Path]) -> Callable[[Order], Command]:
    """A script in `peers/` that takes a port and one more argument, a process a worker."""

    def command(order: Order) -> Command:
        return Command(
            arguments=[order.python, str(PEERS / name), str(order.port), str(argument(order))],
            environment={"PYTHONPATH": str(ROOT / "serving" / "proto")},
            folder=order.folder,
            copies=order.workers,
        )

    return command


SERVERS: Mapping[str, Server] = {
    server.name: server
    for server in (
        Server(name="keraport", kind=Kind.OURS, command=_keraport),
        Server(
            name="empty-aio", kind=Kind.LIMIT, command=_script("empty_aio.py", lambda order: order.answers)
        ),
        Server(
            name="empty-sync", kind=Kind.LIMIT, command=_script("empty_sync.py", lambda order: order.answers)
        ),
        Server(name="plain", kind=Kind.PEER, command=_script("plain.py", lambda order: order.model.path)),
    )
}


def python_of(server: Server) -> str:
    """The interpreter that runs a server."""
    if server.environment is None:
        return sys.executable
    return str(HERE / "environments" / server.environment / "bin" / "python")
