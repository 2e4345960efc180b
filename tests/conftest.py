"""What several folders of tests share: the command line, one real run and version of it, servers."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.formats import Format
from export.manifest import (
    SCHEMA_VERSION,
    Artifact,
    Binding,
    DataInfo,
    Manifest,
    Source,
    TensorInfo,
    content_sha256,
    write_manifest,
)
from export.sessions import SessionSettings
from export.verdict import Verdict

# Before anything imports TensorFlow.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

ROOT = Path(__file__).resolve().parent.parent

KIT_SAMPLES = 300  # that prove the session's kit: fewer than by default, for the time that they take

Keraport = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def keraport() -> Keraport:
    """Run the command line as its own process."""

    def run(
        *arguments: object, cwd: Path | None = None, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "keraport", *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture
def interruptible() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command line as a process that takes Ctrl-C, whatever the tests' own parent ignores."""
    processes = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "keraport", *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  (no threads yet)
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture(scope="session")
def running() -> Callable[[str], bool]:
    """Whether any process has a text in its command line."""

    def is_running(mark: str) -> bool:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                if mark.encode() in path.read_bytes():
                    return True
        return False

    return is_running


@pytest.fixture(scope="session")
def wait_for() -> Callable[[Callable[[], bool], float], None]:
    """Wait until something is so, at most some seconds."""

    def wait(condition: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    return wait


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder whose `runs` and `models` the session's run and version live in."""
    return tmp_path_factory.mktemp("workplace")


@pytest.fixture(scope="session")
def run_directory(keraport: Keraport, workplace: Path) -> Path:
    """One epoch of the default recipe on the real MNIST."""
    result = keraport("train", "--epochs", 1, "--out", "runs/one-epoch", "--seed", 3, cwd=workplace)
    assert result.returncode == 0, result.stderr
    return workplace / "runs" / "one-epoch"


@pytest.fixture(scope="session")
def published(keraport: Keraport, workplace: Path, run_directory: Path) -> Path:
    """Version 1 of the model `mnist`, exported from that run."""
    result = keraport("export", run_directory, "--json", cwd=workplace)
    assert result.returncode == 0, result.stdout + result.stderr
    assert json.loads(result.stdout)["manifest"]["version"] == 1
    return workplace / "models" / "mnist" / "1"


@pytest.fixture(scope="session")
def made_kit(
    keraport: Keraport, published: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict]:
    """The folder of one edge kit of that version, and what the command said of it as JSON."""
    out = tmp_path_factory.mktemp("edge") / "kit"
    result = keraport(
        "edge", published, "--out", out, "--samples", KIT_SAMPLES, "--json", cwd=published.parents[2]
    )
    assert result.returncode == 0, result.stderr
    return out, json.loads(result.stdout)


@pytest.fixture(scope="session")
def kit(made_kit: tuple[Path, dict]) -> Path:
    return made_kit[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningServer:
    """A `keraport serve` process that has said that it is ready."""

    process: subprocess.Popen[bytes]
    url: str
    http_url: str
    metrics_url: str
    log: Path


READY = r"^ready: .*HTTP on (?P<http>\S+), metrics on (?P<metrics>\S+), gRPC on (?P<grpc>\S+)"

StartServer = Callable[..., RunningServer]


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Start `keraport serve` on a free port and wait until it is ready; all are ended after the tests."""
    processes = []

    def start(
        repository: Path,
        *arguments: object,
        wait_s: float = 60,
        began: Callable[[subprocess.Popen[bytes]], object] = lambda process: None,  # noqa: ARG005
        python_path: tuple[Path, ...] = (),
    ) -> RunningServer:
        log = tmp_path_factory.mktemp("server") / "stderr"
        with log.open("wb") as stderr:
            command = [sys.executable, "-m", "keraport", "serve", "--repository", repository]
            ports = ["--port=0", "--http-port=0", "--metrics-port=0"]
            process = subprocess.Popen(
                [*command, *ports, "--workers=1", *map(str, arguments)],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (*python_path, ROOT)))},
                stderr=stderr,
            )
        processes.append(process)
        began(process)
        deadline = time.monotonic() + wait_s
        while not (ready := re.search(READY, log.read_text(), re.MULTILINE)):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        return RunningServer(
            process=process,
            url=ready["grpc"],
            http_url=f"http://{ready['http']}",
            metrics_url=f"http://{ready['metrics']}/metrics",
            log=log,
        )

    yield start
    for process in processes:
        process.kill()
        process.wait()


class Classifier:
    """A real ONNX model without training: UINT8 `image` [-1, 28, 28, 1] to `logits`, `probabilities`.

    A run with an image whose first pixel is 255 fails, whatever else is in the batch.
    """

    def __init__(self, seed: int = 5) -> None:
        self._weights = np.random.default_rng(seed).normal(0, 0.001, (784, 10)).astype(np.float32)

    def expected(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """What the model answers, computed by numpy."""
        logits = images.reshape(-1, 784).astype(np.float32) @ self._weights
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return {"logits": logits, "probabilities": powers / powers.sum(axis=1, keepdims=True)}

    def onnx(self, *, idle_turns: int = 0) -> bytes:
        """The file; every idle turn adds zero to the logits, to make a run as long as a test needs."""
        images = helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", 28, 28, 1])
        outputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 10])
            for name in ("logits", "probabilities")
        ]
        nodes = [
            helper.make_node("Cast", ["image"], ["cast"], to=TensorProto.FLOAT),
            helper.make_node("Flatten", ["cast"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["product"]),
            # The first pixel picks one of 255 zeros; onnxruntime refuses to pick the 256th.
            helper.make_node("Cast", ["flat"], ["indices"], to=TensorProto.INT64),
            helper.make_node("Gather", ["indices", "first"], ["corner"], axis=1),
            helper.make_node("Gather", ["zeros", "corner"], ["zero"]),
            helper.make_node("Add", ["product", "zero"], ["sum"]),
            helper.make_node("Loop", ["turns", "", "sum"], ["logits"], body=_idle_body()),
            helper.make_node("Softmax", ["logits"], ["probabilities"]),
        ]
        constants = [
            numpy_helper.from_array(self._weights, "weights"),
            numpy_helper.from_array(np.array(idle_turns), "turns"),
            numpy_helper.from_array(np.array([0]), "first"),
            numpy_helper.from_array(np.zeros(255, np.float32), "zeros"),
        ]
        graph = helper.make_graph(nodes, "classifier", [images], outputs, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        return model.SerializeToString()


def _idle_body() -> onnx.GraphProto:
    value = helper.make_tensor_value_info
    return helper.make_graph(
        [
            helper.make_node("Identity", ["go_on"], ["go_on_still"]),
            helper.make_node("Add", ["logits_in", "zero"], ["logits_out"]),
        ],
        "idle_turn",
        [
            value("turn", TensorProto.INT64, []),
            value("go_on", TensorProto.BOOL, []),
            value("logits_in", TensorProto.FLOAT, None),
        ],
        [value("go_on_still", TensorProto.BOOL, []), value("logits_out", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.zeros(10, np.float32), "zero")],
    )


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    return Classifier()


Publish = Callable[..., Path]
Infos = tuple[TensorInfo, ...]

NO_HASH = "0" * 64


@pytest.fixture(scope="session")
def publish_onnx() -> Publish:
    """Publish a version of any ONNX model; keywords change its artifact's row in the manifest."""

    def publish(
        folder: Path, content: bytes, inputs: Infos, outputs: Infos, *, labels: str = "", **changes: object
    ) -> Path:
        folder.mkdir(parents=True)
        path = folder / "model.onnx"
        path.write_bytes(content)
        digest = content_sha256(path)
        artifact = Artifact(
            format=Format.ONNX,
            precision="fp32",
            path=path.name,
            bytes=path.stat().st_size,
            sha256=digest,
            verdict=Verdict.PASS,
            reason="computed by numpy alike",
            binding=Binding(artifact_sha256=digest, reference_sha256=NO_HASH, data_sha256=NO_HASH),
            session=SessionSettings(),
        )
        manifest = Manifest(
            schema_version=SCHEMA_VERSION,
            model=folder.parent.name,
            version=int(folder.name),
            created="2026-01-01T00:00:00Z",
            source=Source(checkpoint_sha256=NO_HASH, run=None),
            dataset=DataInfo(name="none", sha256=NO_HASH, samples=0),
            inputs=inputs,
            outputs=outputs,
            labels=tuple(labels),
            artifacts=(replace(artifact, **changes),),
            packages={},
            cpu_flags=(),
        )
        write_manifest(manifest, folder)
        return folder

    return publish


@pytest.fixture(scope="session")
def publish_classifier(classifier: Classifier, publish_onnx: Publish) -> Publish:
    """Publish a version of the classifier or a like one; keywords as those of `publish_onnx`."""

    def publish(
        repository: Path,
        model: str = "digits",
        version: int = 1,
        *,
        idle_turns: int = 0,
        like: Classifier = classifier,
        **changes: object,
    ) -> Path:
        image = TensorInfo(name="image", datatype="UINT8", shape=(-1, 28, 28, 1), meaning="pixels")
        scores = tuple(
            TensorInfo(name=name, datatype="FP32", shape=(-1, 10), meaning=name)
            for name in ("logits", "probabilities")
        )
        content, folder = like.onnx(idle_turns=idle_turns), repository / model / str(version)
        return publish_onnx(folder, content, (image,), scores, labels="abcdefghij", **changes)

    return publish


@pytest.fixture(scope="session")
def digits_server(
    tmp_path_factory: pytest.TempPathFactory,
    publish_classifier: Publish,
    start_server: StartServer,
) -> RunningServer:
    """One server of the classifier, version 1 of `digits`, for all tests that only ask it."""
    repository = tmp_path_factory.mktemp("digits")
    publish_classifier(repository)
    return start_server(repository)


@pytest.fixture
def images() -> np.ndarray:
    """Five pictures, all different."""
    return np.random.default_rng(0).integers(0, 256, (5, 28, 28, 1)).astype(np.uint8)
