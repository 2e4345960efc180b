import contextlib
import http.server
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from serving.errors import Draining, InvalidTensor, ObservationError, RequestError
from serving.inference import Inference, Outcome
from serving.operations.access_log import AccessLog
from serving.operations.observing import check_observing, watcher_of
from serving.operations.tracing import Tracing
from serving.operations.watching import Watcher
from serving.settings import LogSettings
from serving.statistics import BatchRun

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
RUN = BatchRun(rows=5, input_s=0.001, infer_s=0.004, output_s=0.0005)
CODES = {InvalidTensor: "INVALID_ARGUMENT", Draining: "UNAVAILABLE"}


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
    collector, tmp_path: Path, monkeypatch
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
    told = collector.attributes(server)
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
    assert collector.attributes(compute)["keraport.infer_us"] == 4000
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
    collector, error: Exception, status: str, failed: bool
) -> None:
    tracing = Tracing(f"{collector.address}/v1/traces", "1.2.3")
    request(tracing, (("traceparent", "no such thing"),), error)
    tracing.stop(10)
    (span,) = collector.spans.values()
    assert span.parent_span_id == b""
    assert collector.attributes(span)["keraport.status"] == status
    assert (span.status.code == Status.STATUS_CODE_ERROR) == failed
    assert b"secret" not in span.SerializeToString()


def test_the_client_s_and_the_environment_s_sampling_are_obeyed(collector, monkeypatch) -> None:
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


def test_the_supervisor_checks_what_workers_will_do_without_loading_it(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from serving.operations.observing import check_observing\n"
        "from serving.settings import LogSettings\n"
        "check_observing(LogSettings(access_log=sys.argv[1], traces='http://localhost:4318'))\n"
        "print({'numpy', 'grpc', 'google', 'opentelemetry.sdk', 'requests'} & set(sys.modules))\n"
        "sys.modules['opentelemetry'] = None\n"
        "check_observing(LogSettings(traces='http://localhost:4318'))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "access.log")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "set()"
    assert "ObservationError" in done.stderr
    assert "pip install 'keraport[otel]'" in done.stderr


def test_settings_make_what_watches(collector, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    settings = LogSettings(access_log=str(path), access_sample=0.0, traces=collector.address)
    check_observing(settings)
    watcher = watcher_of(settings, lambda error: CODES[type(error)])
    for error in (None, Draining("no")):
        with contextlib.suppress(Draining), watcher.watch("http", "ModelInfer", peer=str, headers=tuple):
            if error is not None:
                raise error
    watcher.close(10)
    (line,) = path.read_text().splitlines()
    spans = [span for each in collector.requests[0].resource_spans for span in each.scope_spans[0].spans]
    assert json.loads(line)["trace_id"] in {span.trace_id.hex() for span in spans}
    assert [collector.attributes(span)["keraport.status"] for span in spans] == ["OK", "UNAVAILABLE"]
