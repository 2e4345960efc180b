"""REST over real sockets, before the real engine in this process."""

import asyncio
import contextlib
import http.client
import json
import socket
import threading
from dataclasses import dataclass
from functools import partial

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from export.manifest import TensorInfo
from serving.engine import Engine
from serving.errors import LoadRefused
from serving.index import IndexEntry, State
from serving.operations.access_log import AccessLog
from serving.operations.watching import Watcher
from serving.repository.loading import load_version
from serving.rest.app import rest_app
from serving.rest.http_server import serve_http
from serving.rpc.status import code_name
from serving.served import ServedModel
from serving.settings import ModelSettings, ServerSettings
from serving.statistics import Statistics

ONNX_TYPES = {
    "BOOL": TensorProto.BOOL,
    "INT8": TensorProto.INT8,
    "INT64": TensorProto.INT64,
    "UINT8": TensorProto.UINT8,
    "UINT64": TensorProto.UINT64,
    "FP16": TensorProto.FLOAT16,
    "BF16": TensorProto.BFLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
    "BYTES": TensorProto.STRING,
}


def echo_model(element, width):
    """A model that answers its input `x`, [-1, width], as `y`."""
    value = partial(helper.make_tensor_value_info, elem_type=element, shape=["n", width])
    node = helper.make_node("Identity", ["x"], ["y"])
    graph = helper.make_graph([node], "echo", [value("x")], [value("y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()


class Gated:
    """A session whose runs tests can hold up."""

    at_once = None
    ahead = False

    def __init__(self, session, bench):
        self.manifest, self.name, self.version = session.manifest, session.name, session.version
        self.pace = session.pace
        self._session, self._bench = session, bench

    async def run(self, feed):
        self._bench.running += 1
        await self._bench.open.wait()
        if (self._session.name, feed.get("x", np.zeros(1)).ravel()[0]) == ("FP64", 666):
            raise RuntimeError("a secret")
        return await self._session.run(feed)


class Bench:
    """The engine, and what tests do to it."""

    def __init__(self):
        self.engine = Engine(self)
        self.open = asyncio.Event()
        self.open.set()
        self.running = 0
        self.controlled = []
        self._statistics = Statistics()

    async def start(self, sessions, settings):
        models = [ServedModel([Gated(each, self)], settings, self._statistics) for each in sessions]
        live = [await model.open() for model in models]
        index = [IndexEntry(name=each.name, version=each.version, state=State.READY) for each in sessions]
        broken = IndexEntry(name="broken", version="1", state=State.UNAVAILABLE, reason="damaged")
        self.engine.swap(live, [*index, broken])

    def require(self):
        pass

    async def load(self, model):
        if model == "broken":
            raise LoadRefused("version 1 of broken is damaged: publish it again")
        self.engine.find(model)
        self.controlled.append(("load", model))

    async def unload(self, model):
        self.engine.find(model)
        self.controlled.append(("unload", model))

    async def statistics(self):
        return self._statistics.snapshot()

    def waiting(self, model="FP32"):
        return self.engine.find(model).batcher.waiting


@dataclass(frozen=True, kw_only=True)
class Rest:
    """A server that listens, and what asks it."""

    port: int
    bench: Bench
    loop: asyncio.AbstractEventLoop
    stop: asyncio.Event

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
def rest_sessions(tmp_path_factory, publish_classifier, publish_onnx):
    repository = tmp_path_factory.mktemp("rest")
    publish_classifier(repository)

    def publish(model, datatype, width):
        content = echo_model(ONNX_TYPES[datatype], width if width > 0 else "m")
        x, y = (
            TensorInfo(name=name, datatype=datatype, shape=(-1, width), meaning="logits")
            for name in ("x", "y")
        )
        publish_onnx(repository / model / "1", content, (x,), (y,), labels="ab")

    for datatype in ONNX_TYPES:
        publish(datatype, datatype, 2)
    publish("wide", "FP64", -1)
    return [load_version(each / "1", ModelSettings())[0] for each in sorted(repository.iterdir())]


@contextlib.contextmanager
def served(
    sessions,
    *,
    models=None,
    tokens=None,
    patience=None,
    tls=None,
    grace_s=10.0,
    access_log=None,
    **settings,
):
    """Serve in a thread of its own; keywords as of the server's settings."""
    settings = ServerSettings(repository=".", **settings)
    started = threading.Event()
    found = {}

    async def main():
        bench, stop = Bench(), asyncio.Event()
        await bench.start(sessions, models or ModelSettings())
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        found["rest"] = Rest(port=port, bench=bench, loop=asyncio.get_running_loop(), stop=stop)
        watcher = Watcher(code_name, access_log and AccessLog(access_log), None)
        app = rest_app(bench.engine, watcher, settings, tokens)
        limits = settings.limits
        serving = serve_http(
            app,
            listener,
            limits=limits,
            watcher=watcher,
            ssl_context=tls,
            patience=patience,
            grace_s=grace_s,
        )
        async with serving:
            started.set()
            await stop.wait()
        await bench.engine.close()

    thread = threading.Thread(target=asyncio.run, args=[main()])
    thread.start()
    while not started.wait(0.01):
        assert thread.is_alive()
    rest = found["rest"]
    try:
        yield rest
    finally:
        rest.loop.call_soon_threadsafe(rest.stop.set)
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
