"""A batcher that tests step by hand, and a collector of traces."""

import asyncio
import contextlib
import http.server
import threading

import numpy as np
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from serving.batcher import Batcher
from serving.settings import ModelSettings


class HandClock:
    """Time moves when the test says so."""

    def __init__(self):
        self.now = 0.0
        self.timers = []

    def time(self):
        return self.now

    def call_later(self, delay, callback):
        timer = HandTimer(self, self.now + delay, callback)
        self.timers.append(timer)
        return timer

    def advance(self, seconds):
        self.now += seconds
        for timer in [timer for timer in self.timers if timer.due <= self.now]:
            timer.cancel()
            timer.callback()


class HandTimer:
    def __init__(self, clock, due, callback):
        self.clock, self.due, self.callback = clock, due, callback

    def cancel(self):
        with contextlib.suppress(ValueError):
            self.clock.timers.remove(self)


class GatedModel:
    """Answers each row with its negative, a batch at a time, when the test opens the gate."""

    def __init__(self):
        self.batches = []
        self._gates = []

    async def run(self, feed):
        rows = feed["x"]
        self.batches.append(rows[:, 0].tolist())
        gate = asyncio.get_running_loop().create_future()
        self._gates.append(gate)
        await gate
        if (rows < 0).any():
            raise ValueError("a negative row")
        return {"y": -rows}

    @property
    def running(self):
        return bool(self._gates)

    async def open(self):
        """Let the running batch end, and everything that follows from it happen."""
        self._gates.pop(0).set_result(None)
        await settle()

    async def open_all(self):
        """Let whatever runs, and whatever follows from it, end."""
        while self._gates:
            await self.open()


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


class Bench:
    """A batcher, its model, its clock and what it told of its runs."""

    def __init__(self, batcher, model, clock, observed):
        self.batcher, self.model, self.clock, self.observed = batcher, model, clock, observed

    async def submit(self, *values, width=1, dtype=np.float32, **options):
        """Submit one item, a row for each value, and let it arrive."""
        feed = {"x": np.tile(np.array(values, dtype)[:, None], (1, width))}
        task = asyncio.create_task(self.batcher.submit(feed, **options))
        await settle()
        return task

    async def settle(self):
        await settle()

    async def cancel(self, task):
        task.cancel()
        await settle()
        assert task.cancelled()

    async def advance(self, seconds):
        self.clock.advance(seconds)
        await settle()

    async def open(self):
        await self.model.open()


@pytest.fixture
async def bench_of():
    """Make a bench with a model's settings."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(*, at_once=None, ahead=False, **settings):
            model, clock, observed = GatedModel(), HandClock(), []
            checked = ModelSettings(**settings)
            runs = [model.run] * (checked.sessions or 1)
            batcher = Batcher(runs, checked, clock, observed.append, at_once, ahead=ahead)
            return Bench(await stack.enter_async_context(batcher), model, clock, observed)

        yield make


class Collector(http.server.ThreadingHTTPServer):
    """Takes spans as OpenTelemetry's collector does, over HTTP."""

    def __init__(self):
        self.requests = []
        self.headers = []
        super().__init__(("127.0.0.1", 0), Taking)

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def all_spans(self):
        resources = [each for request in self.requests for each in request.resource_spans]
        return [span for each in resources for scope in each.scope_spans for span in scope.spans]

    @property
    def spans(self):
        """By name, of a single request."""
        spans = {span.name: span for span in self.all_spans}
        assert len(spans) == len(self.all_spans)
        return spans

    @property
    def resource(self):
        return self.attributes(self.requests[0].resource_spans[0].resource)

    @staticmethod
    def attributes(of):
        return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in of.attributes}


class Taking(http.server.BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        found = self.path == "/v1/traces"
        if found:
            self.server.requests.append(ExportTraceServiceRequest.FromString(content))
            self.server.headers.append(dict(self.headers))
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def collector():
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
