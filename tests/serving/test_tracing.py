import contextlib
import http.server
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from serving.errors import Draining, InvalidTensor, ObservationError, RequestError
from serving.inference import Inference, Outcome
from serving.operations.access_log import AccessLog
from serving.operations.tracing import Tracing
from serving.operations.watching import Watcher
from serving.statistics import BatchRun

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
RUN = BatchRun(rows=5, input_s=0.001, infer_s=0.004, output_s=0.0005)
CODES = {InvalidTensor: "INVALID_ARGUMENT", Draining: "UNAVAILABLE"}


class Collector(http.server.ThreadingHTTPServer):
    """Takes spans as OpenTelemetry's collector does, over HTTP."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        self.headers: list[dict[str, str]] = []
        super().__init__(("127.0.0.1", 0), Taking)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def spans(self) -> dict[str, Span]:
        resources = [each for request in self.requests for each in request.resource_spans]
        spans = [span for each in resources for scope in each.scope_spans for span in scope.spans]
        assert len({span.name for span in spans}) == len(spans)
        return {span.name: span for span in spans}

    @property
    def resource(self) -> dict[str, Any]:
        (request,) = self.requests
        return attributes(request.resource_spans[0].resource)


class Taking(http.server.BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        found = self.path == "/v1/traces"
        if found:
            self.server.requests.append(ExportTraceServiceRequest.FromString(content))
            self.server.headers.append(dict(self.headers))
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def attributes(of: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in of.attributes}


def request(
    tracing: Tracing, headers: tuple[tuple[str, object], ...], error: Exception | None = None, **more: Any
) -> None:
    watcher = Watcher(lambda error: CODES[type(error)], more.get("access_log"), tracing)
    inference = Inference(model="digits", id="a-1", feed={"image": np.zeros((2, 3), np.float32)})
    outcome = Outcome(model="digits", version="7", id="a-1", outputs={}, rows=2, queue_s=0.002, run=RUN)
    watch = watcher.watch("grpc", "ModelInfer", peer=lambda: "ipv4:1.2.3.4:5", headers=lambda: headers)
    with contextlib.suppress(RequestError, RuntimeError), watch as watching:
        watching.asked(inference)
        time.sleep(0.01)
        if error is not None:
            raise error
        watching.answered(outcome)


def test_a_request_s_spans_reach_the_collector_under_the_client_s_trace(
    collector: Collector, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=k")
    tracing = Tracing(collector.address, "1.2.3")
    log = AccessLog(str(tmp_path / "access.log"))
    began = time.time_ns()
    headers = (("x-data-bin", b"\xff"), ("TraceParent", f"00-{TRACE}-{PARENT}-01"), ("tracestate", "a=b"))
    request(tracing, headers, access_log=log)
    tracing.stop(10)
    spans = collector.spans
    server, queue, compute = (spans[name] for name in ("ModelInfer", "queue", "compute"))
    assert {span.trace_id.hex() for span in (server, queue, compute)} == {TRACE}
    assert server.parent_span_id.hex() == PARENT
    assert server.kind == Span.SPAN_KIND_SERVER
    assert queue.parent_span_id == compute.parent_span_id == server.span_id
    assert began - 5_000_000 <= server.start_time_unix_nano
    assert server.start_time_unix_nano <= queue.start_time_unix_nano
    assert queue.end_time_unix_nano - queue.start_time_unix_nano == 2_000_000
    assert compute.start_time_unix_nano == queue.end_time_unix_nano
    assert compute.end_time_unix_nano - compute.start_time_unix_nano == 5_500_000
    assert compute.end_time_unix_nano <= server.end_time_unix_nano <= time.time_ns()
    told = attributes(server)
    assert told == {
        "rpc.system": "grpc",
        "rpc.service": "inference.GRPCInferenceService",
        "rpc.method": "ModelInfer",
        "keraport.status": "OK",
        "keraport.model": "digits",
        "keraport.version": "7",
        "keraport.request_id": "a-1",
        "keraport.rows": 2,
        "keraport.batch_rows": 5,
        "keraport.queue_us": 2000,
    }
    assert attributes(compute)["keraport.infer_us"] == 4000
    assert collector.resource["service.name"] == "keraport"
    assert collector.resource["service.version"] == "1.2.3"
    assert collector.resource["deployment.environment"] == "test"
    assert collector.headers[0]["x-api-key"] == "k"
    assert json.loads((tmp_path / "access.log").read_text())["trace_id"] == TRACE


@pytest.mark.parametrize(
    ("error", "status", "failed"),
    [
        (InvalidTensor("no"), "INVALID_ARGUMENT", False),
        (Draining("no"), "UNAVAILABLE", True),
        (RuntimeError("secret"), "INTERNAL", True),
    ],
)
def test_a_failed_request_without_parent_begins_a_trace(
    collector: Collector, error: Exception, status: str, failed: bool
) -> None:
    tracing = Tracing(f"{collector.address}/v1/traces", "1.2.3")
    request(tracing, (("traceparent", "no such thing"),), error)
    tracing.stop(10)
    (span,) = collector.spans.values()
    assert span.parent_span_id == b""
    assert attributes(span)["keraport.status"] == status
    assert (span.status.code == Status.STATUS_CODE_ERROR) == failed
    assert b"secret" not in span.SerializeToString()


def test_the_client_s_and_the_environment_s_sampling_are_obeyed(collector: Collector, monkeypatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
    tracing = Tracing(collector.address, "1.2.3")
    request(tracing, ())
    request(tracing, (("traceparent", f"00-{TRACE}-{PARENT}-00"),))
    request(tracing, (("traceparent", f"00-{TRACE}-{PARENT}-01"),))
    tracing.stop(10)
    assert collector.spans["ModelInfer"].trace_id.hex() == TRACE
    assert len(collector.spans) == 3
    assert collector.resource["service.name"] == "mine"


def test_stopping_waits_for_no_collector_that_is_silent() -> None:
    listening = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)  # never accepts
    with listening:
        tracing = Tracing(f"http://127.0.0.1:{listening.server_address[1]}", "1.2.3")
        request(tracing, ())
        ended = threading.Thread(target=tracing.stop, args=(0.1,))
        ended.start()
        ended.join(8)  # the exporter alone would try for ten seconds
        assert not ended.is_alive()


@pytest.mark.parametrize("endpoint", ["localhost:4318", "ftp://x", "http://", "http://[::1"])
def test_an_endpoint_that_is_no_address_is_one_error(endpoint: str) -> None:
    with pytest.raises(ObservationError, match="such as http://localhost:4318"):
        Tracing(endpoint, "1.2.3")


def test_without_the_extra_the_error_names_it() -> None:
    program = (
        "import sys\n"
        "sys.modules['opentelemetry'] = None\n"
        "from serving.errors import ObservationError\n"
        "from serving.operations.tracing import Tracing\n"
        "try:\n"
        "    Tracing('http://localhost:4318', '1')\n"
        "except ObservationError as error:\n"
        "    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'keraport[otel]'" in done.stdout
