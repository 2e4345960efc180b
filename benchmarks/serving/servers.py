"""The servers that are compared: how each is started, where it is asked, and what it is asked with."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from benchmarks.serving.models import ROOT, Model
from benchmarks.serving.processes import Command
from benchmarks.serving.wires import Wire

HERE = Path(__file__).resolve().parent
PEERS = HERE / "peers"
PACKAGES = ("grpcio", "protobuf", "onnxruntime")
PROTO = ROOT / "serving" / "proto"
MESSAGE_BYTES = 64 * 1024 * 1024


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
        wire: how it is asked.
        ready_s: how long it may take to start.
        packages: whose versions the results name.
        restless: whether it takes its share of a core when nobody asks; it is stopped while others are asked.
    """

    name: str
    kind: Kind
    command: Callable[[Order], Command]
    environment: str | None = None
    wire: Wire = Wire.OPEN_INFERENCE
    ready_s: float = 180.0
    packages: tuple[str, ...] = PACKAGES
    restless: bool = False


def _keraport(*more: str) -> Callable[[Order], Command]:
    def command(order: Order) -> Command:
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
                *more,
            ],
            environment={"PYTHONPATH": str(ROOT)},
            folder=order.folder,
        )

    return command


def _script(name: str, argument: Callable[[Order], Path]) -> Callable[[Order], Command]:
    """A script in `peers/` that takes a port and one more argument, a process a worker."""

    def command(order: Order) -> Command:
        return Command(
            arguments=[order.python, str(PEERS / name), str(order.port), str(argument(order))],
            environment={"PYTHONPATH": str(PROTO)},
            folder=order.folder,
            copies=order.workers,
        )

    return command


def _program(order: Order, name: str) -> str:
    """A program of an environment, for its interpreter: it may name another, if the folder was moved."""
    return str(Path(order.python).parent / name)


def _mlserver(order: Order) -> Command:
    """In one process: for a model of this size its parallel workers cost more than they give."""
    model = {"uri": str(order.model.path)}
    settings = {"name": order.model.name, "implementation": "mlserver_model.OnnxModel", "parameters": model}
    (order.folder / "model-settings.json").write_text(json.dumps(settings))
    server = {
        "host": "127.0.0.1",
        "grpc_port": order.port,
        "http_port": 0,
        "metrics_endpoint": None,
        "debug": False,
        "parallel_workers": 0,
        "grpc_max_message_length": MESSAGE_BYTES,
    }
    (order.folder / "settings.json").write_text(json.dumps(server))
    return Command(
        arguments=[order.python, _program(order, "mlserver"), "start", str(order.folder)],
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


def _bentoml(order: Order) -> Command:
    """Without access log and metrics, which others do not have or have switched off, too."""
    folder = {
        "--working-dir": PEERS,
        "--host": "127.0.0.1",
        "--port": order.port,
        "--api-workers": order.workers,
    }
    options = [str(part) for pair in folder.items() for part in pair]
    quiet = "api_server.logging.access.enabled=false api_server.metrics.enabled=false"
    return Command(
        arguments=[order.python, _program(order, "bentoml"), "serve-grpc", "bentoml_service:svc", *options],
        environment={
            "MODEL": str(order.model.path),
            "BENTOML_HOME": str(order.folder),
            "BENTOML_DO_NOT_TRACK": "True",
            "BENTOML_CONFIG_OPTIONS": quiet,
        },
        folder=order.folder,
    )


def _ray(order: Order) -> Command:
    script, own = str(PEERS / "ray_server.py"), str(order.folder)
    return Command(
        arguments=[order.python, script, str(order.port), str(order.model.path), str(order.workers), own],
        environment={
            "PYTHONPATH": f"{PEERS}:{PROTO}",
            "RAY_AUTH_MODE": "disabled",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_enable_metrics_collection": "0",
        },
        folder=order.folder,
    )


def _litserve(order: Order) -> Command:
    script = str(PEERS / "litserve_server.py")
    arguments = [order.python, script, str(order.port), str(order.model.path), str(order.workers)]
    return Command(arguments=arguments, environment={}, folder=order.folder)


SERVERS: Mapping[str, Server] = {
    server.name: server
    for server in (
        Server(name="keraport", kind=Kind.OURS, command=_keraport()),
        # One run at a time, as the bare loop.
        Server(name="keraport-single", kind=Kind.OURS, command=_keraport("--sessions=1")),
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
            wire=Wire.JSON,
            packages=("litserve", "onnxruntime"),
        ),
        Server(
            name="bentoml",
            kind=Kind.PEER,
            command=_bentoml,
            environment="bentoml",
            wire=Wire.BENTOML,
            packages=("bentoml", *PACKAGES),
        ),
        Server(
            name="ray",
            kind=Kind.PEER,
            command=_ray,
            environment="ray",
            packages=("ray", *PACKAGES),
            restless=True,
        ),
    )
}
