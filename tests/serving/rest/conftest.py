"""REST over real sockets, before real sessions and batchers."""

import asyncio
import contextlib
import http.client
import json
import socket
import threading
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

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
from serving.batcher import Batcher, BatchLimits
from serving.codec import check_feed
from serving.errors import InvalidTensor, ModelNotFound
from serving.inference import Outcome
from serving.model_config import config_message, metadata_message
from serving.proto import inference_pb2 as pb
from serving.repository import load_repository
from serving.rest.app import rest_app
from serving.rest.http_server import serve_http
from serving.settings import Limits

ONNX_TYPES = {
    "BOOL": TensorProto.BOOL,
    "INT8": TensorProto.INT8,
    "INT64": TensorProto.INT64,
    "UINT8": TensorProto.UINT8,
    "UINT64": TensorProto.UINT64,
    "FP16": TensorProto.FLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
}


def publish_echo(repository, datatype):
    """A model of the datatype's name that answers its input `x`, [-1, 2], as `y`."""
    element = ONNX_TYPES[datatype]
    value = partial(helper.make_tensor_value_info, elem_type=element, shape=["n", 2])
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])], "echo", [value("x")], [value("y")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder = repository / datatype / "1"
    folder.mkdir(parents=True)
    path = folder / "model.onnx"
    onnx.save(model, path)
    digest = content_sha256(path)
    tensor = TensorInfo(name="x", datatype=datatype, shape=(-1, 2), meaning="anything")
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        model=datatype,
        version=1,
        created="2026-01-01T00:00:00Z",
        source=Source(checkpoint_sha256="0" * 64, run=None),
        dataset=DataInfo(name="none", sha256="0" * 64, samples=0),
        inputs=(tensor,),
        outputs=(replace(tensor, name="y"),),
        labels=(),
        artifacts=(
            Artifact(
                format=Format.ONNX,
                precision="fp32",
                path=path.name,
                bytes=path.stat().st_size,
                sha256=digest,
                verdict=Verdict.PASS,
                reason="it is its input",
                binding=Binding(artifact_sha256=digest, reference_sha256="0" * 64, data_sha256="0" * 64),
                session=SessionSettings(),
            ),
        ),
        packages={},
        cpu_flags=(),
    )
    write_manifest(manifest, folder)


class Bench:
    """An engine of sessions and batchers, which tests can hold up."""

    def __init__(self, sessions, limits):
        self.draining = False
        self.sessions = sessions
        self.limits = limits
        self.batchers = {}
        self.open = asyncio.Event()
        self.open.set()
        self.seen = []
        self.controlled = []
        self.control = SimpleNamespace(load=self._load, unload=self._unload)

    async def start(self, stack):
        for name, session in self.sessions.items():
            run = partial(self._run, session)
            self.batchers[name] = await stack.enter_async_context(Batcher(run, self.limits))

    async def _run(self, session, feed):
        await self.open.wait()
        return await session.run(feed)

    async def infer(self, inference):
        self.seen.append(inference)
        session = self._find(inference.model, inference.version)
        known = [tensor.name for tensor in session.manifest.outputs]
        for name in inference.outputs:
            if name not in known:
                raise InvalidTensor(f"output {name!r} was asked for, expected any of: {', '.join(known)}")
        check_feed(inference.feed, session.manifest.inputs, max_rows=self.limits.max_rows)
        if inference.id == "break":
            raise RuntimeError("a secret")
        deadline = None
        if inference.timeout_s is not None:
            deadline = asyncio.get_running_loop().time() + inference.timeout_s
        answer = await self.batchers[session.name].submit(inference.feed, deadline)
        outputs = {name: answer[name] for name in inference.outputs or known}
        return Outcome(model=session.name, version=session.version, id=inference.id, outputs=outputs)

    def _find(self, name, version=""):
        session = self.sessions.get(name)
        if session is None or version not in ("", session.version):
            raise ModelNotFound(f"no model {name!r} in version {version!r} is loaded")
        return session

    def ready(self, *_):
        return not self.draining

    def index(self):
        entries = [
            SimpleNamespace(name=name, version="1", state="READY", reason="") for name in self.sessions
        ]
        return [*entries, SimpleNamespace(name="broken", version="1", state="UNAVAILABLE", reason="damaged")]

    async def _load(self, name):
        self._find(name)
        self.controlled.append(("load", name))

    async def _unload(self, name):
        self._find(name)
        self.controlled.append(("unload", name))

    def metadata(self, name, version):
        return metadata_message(self._find(name, version))

    def config(self, name, version):
        return config_message(self._find(name, version), self.limits)

    async def statistics(self, name, version):
        names = [self._find(name, version).name] if name else list(self.sessions)
        stats = [pb.ModelStatistics(name=each, version="1", inference_count=3) for each in names]
        return pb.ModelStatisticsResponse(model_stats=stats)


@dataclass
class Rest:
    """A server that listens, and what asks it."""

    port: int
    bench: Bench
    loop: asyncio.AbstractEventLoop

    def ask(self, method, path, body=None, headers=None):
        """Status, headers and the body's bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()

    def get(self, path):
        status, _, body = self.ask("GET", path)
        return status, json.loads(body)

    def post(self, path, content, headers=None):
        """Status and answer of a JSON request; what is not bytes is written as JSON."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        status, _, answer = self.ask("POST", path, body, headers)
        return status, json.loads(answer)

    def socket(self):
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def call(self, function):
        """Do something in the server's loop, and wait for it."""

        async def run():
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)

    def until(self, holds):
        """Wait until something holds of the engine."""
        pause = threading.Event()
        for _ in range(2000):
            if self.call(holds):
                return
            pause.wait(0.005)
        raise AssertionError("it never came")


@pytest.fixture(scope="session")
def rest_sessions(tmp_path_factory, publish_classifier):
    repository = tmp_path_factory.mktemp("rest")
    publish_classifier(repository)
    for datatype in ONNX_TYPES:
        publish_echo(repository, datatype)
    return load_repository(
        repository, model=None, allow_unverified=False, max_rows=64, stopping=lambda: False
    )


@contextlib.contextmanager
def served(sessions, *, batches=None, limits=None, patience=None, guard=None, grace_s=10.0):
    """Serve in a thread of its own."""
    started = threading.Event()
    stop = asyncio.Event()
    found = {}

    async def main():
        bench = Bench(sessions, batches or BatchLimits())
        sock = socket.create_server(("127.0.0.1", 0))
        app = rest_app(bench, bench, limits=limits or Limits(), version="1.2.3", guard=guard)
        async with contextlib.AsyncExitStack() as stack:
            await bench.start(stack)
            found["rest"] = Rest(sock.getsockname()[1], bench, asyncio.get_running_loop())
            async with serve_http(app, sock, limits=limits or Limits(), patience=patience, grace_s=grace_s):
                started.set()
                await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=[main()])
    thread.start()
    while not started.wait(0.01):
        assert thread.is_alive()
    rest = found["rest"]
    try:
        yield rest
    finally:
        rest.loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture(scope="session")
def rest_of(rest_sessions):
    """Serve with settings of a test's own."""
    return partial(served, rest_sessions)


@pytest.fixture(scope="session")
def rest(rest_of):
    """One server for all tests that only ask it."""
    with rest_of() as server:
        yield server


@pytest.fixture
def five_images(images):
    return {"name": "image", "datatype": "UINT8", "shape": list(images.shape)}


@pytest.fixture
def echo_values(rest):
    """What JSON values come back as, through an echo model; or the status and why they are refused."""

    def echo(datatype, shape, data):
        tensor = {"name": "x", "datatype": datatype, "shape": shape, "data": data}
        status, answer = rest.post(f"/v2/models/{datatype}/infer", {"inputs": [tensor]})
        return (status, answer["error"]) if status != 200 else (status, answer["outputs"][0])

    return echo


@pytest.fixture
def echo_bytes(rest):
    """What bytes come back as, through an echo model."""

    def echo(array, datatype):
        raw = array.tobytes()
        tensor = {
            "name": "x",
            "datatype": datatype,
            "shape": list(array.shape),
            "parameters": {"binary_data_size": len(raw)},
        }
        head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
        length = {"Inference-Header-Content-Length": str(len(head))}
        status, headers, body = rest.ask("POST", f"/v2/models/{datatype}/infer", head + raw, length)
        assert status == 200, body
        size = int(headers["Inference-Header-Content-Length"])
        output = json.loads(body[:size])["outputs"][0]
        assert output["parameters"]["binary_data_size"] == len(body) - size
        return np.frombuffer(body[size:], array.dtype).reshape(output["shape"])

    return echo
