"""The servers that are compared: how each is started, where it is asked, and what it is asked with."""

import json
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
PACKAGES = ("grpcio", "protobuf", "onnxruntime")
MESSAGE_BYTES = 64 * 1024 * 1024
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
    ready_s: float = 180.0
    packages: tuple[str, ...] = PACKAGES

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


def _mlserver(order: Order) -> Command:
    """In one process: for a model of this size its parallel workers cost more than they give."""
    model = {"uri": str(order.model.path)}
    settings = {"name": order.model.name, "implementation": "mlserver_model.OnnxModel", "parameters": model}
    (order.folder / "model-settings.json").write_text(json.dumps(settings))
    server = {
        **{"host": "127.0.0.1", "grpc_port": order.port, "http_port": 0, "metrics_endpoint": None},
        **{"debug": False, "parallel_workers": 0, "grpc_max_message_length": MESSAGE_BYTES},
    }
    (order.folder / "settings.json").write_text(json.dumps(server))
    return Command(
        arguments=[str(Path(order.python).parent / "mlserver"), "start", str(order.folder)],
        environment={"PYTHONPATH": str(PEERS)},
        folder=order.folder,
        copies=order.workers,
    )


def _kserve(order: Order) -> Command:
    arguments = [order.python, str(PEERS / "kserve_server.py"), str(order.port), str(order.model.path)]
    options = [f"--grpc_max_{way}_message_length={MESSAGE_BYTES}" for way in ("send", "receive")]
    return Command(
        arguments=[*arguments, order.model.name, *options],
        environment={},
        folder=order.folder,
        copies=order.workers,
    )


def _litserve(order: Order) -> Command:
    script = str(PEERS / "litserve_server.py")
    arguments = [order.python, script, str(order.port), str(order.model.path), str(order.workers)]
    return Command(arguments=arguments, environment={}, folder=order.folder)


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
        Server(
            name="mlserver",
            kind=Kind.PEER,
            command=_mlserver,
            environment="mlserver",
            packages=("mlserver", *PACKAGES),
        ),
        Server(
            name="kserve",
            kind=Kind.PEER,
            command=_kserve,
            environment="kserve",
            packages=("kserve", *PACKAGES),
        ),
        Server(
            name="litserve",
            kind=Kind.PEER,
            command=_litserve,
            environment="litserve",
            http1=True,
            packages=("litserve", "onnxruntime"),
        ),
    )
}


