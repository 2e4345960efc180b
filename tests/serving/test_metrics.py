import contextlib
import http.client
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from serving.errors import AddressError
from serving.operations.exposition import ServerCounts
from serving.operations.metrics_server import MAX_CONNECTIONS, start_metrics
from serving.statistics import BatchRun, ModelCounts, Reason, Statistics

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def counted() -> tuple[ModelCounts, ...]:
    statistics = Statistics()
    counts = statistics.serve('dig"its', "2", lambda: 3)
    run = BatchRun(rows=5, input_s=0.001, infer_s=0.004, output_s=0.0005)
    counts.add_run(run)
    counts.add_success(rows=2, total_s=0.01, queue_s=0.002, run=run)
    counts.add_success(rows=3, total_s=90.0, queue_s=0.0, run=run)
    counts.add_failure(Reason.CANCELED, total_s=0.5)
    return statistics.snapshot()


@contextlib.contextmanager
def served(models: tuple[ModelCounts, ...]) -> Iterator[int]:
    port, stop = start_metrics("127.0.0.1", 0, lambda: ServerCounts(models=models, workers=2, restarts=1))
    try:
        yield port
    finally:
        stop()


def asked(port: int, accept: str = "", method: str = "GET", path: str = "/metrics") -> tuple[int, str, str]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request(method, path, headers={"Accept": accept})
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read().decode()


def test_triton_s_counters_have_their_exact_names_and_values() -> None:
    with served(counted()) as port:
        _, content_type, text = asked(port)
    labels = r'{model="dig\"its",version="2"}'
    lines = text.splitlines()
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    for line in (
        "# TYPE nv_inference_request_success counter",
        f"nv_inference_request_success{labels} 2.0",
        "# TYPE nv_inference_request_failure counter",
        r'nv_inference_request_failure{model="dig\"its",reason="REJECTED",version="2"} 0.0',
        r'nv_inference_request_failure{model="dig\"its",reason="CANCELED",version="2"} 1.0',
        f"nv_inference_count{labels} 5.0",
        f"nv_inference_exec_count{labels} 1.0",
        "# TYPE nv_inference_request_duration_us counter",
        f"nv_inference_queue_duration_us{labels} 2000.0",
        f"nv_inference_compute_input_duration_us{labels} 2000.0",
        f"nv_inference_compute_infer_duration_us{labels} 8000.0",
        f"nv_inference_compute_output_duration_us{labels} 1000.0",
        "# TYPE nv_inference_pending_request_count gauge",
        f"nv_inference_pending_request_count{labels} 3.0",
        "# TYPE keraport_worker_restarts_total counter",
        "keraport_worker_restarts_total 1.0",
        "keraport_workers 2.0",
        f"keraport_model_ready{labels} 1.0",
    ):
        assert line in lines
    assert "untyped" not in text


@pytest.mark.parametrize(
    ("accept", "parse"),
    [("", text_string_to_metric_families), (OPENMETRICS, openmetrics.text_string_to_metric_families)],
)
def test_histograms_can_be_read_in_both_formats(accept: str, parse) -> None:
    with served(counted()) as port:
        *_, text = asked(port, accept)
    samples = {
        (sample.name.removesuffix("_total"), sample.labels.get("le", "")): sample.value
        for family in parse(text)
        for sample in family.samples
    }
    assert samples["nv_inference_request_success", ""] == 2
    assert samples["nv_inference_request_duration_us", ""] == 90_010_000
    assert samples["keraport_request_seconds_bucket", "0.006"] == 0
    assert samples["keraport_request_seconds_bucket", "0.01"] == 1
    assert samples["keraport_request_seconds_bucket", "60.0"] == 1
    assert samples["keraport_request_seconds_bucket", "+Inf"] == 2
    assert samples["keraport_request_seconds_count", ""] == 2
    assert samples["keraport_request_seconds_sum", ""] == pytest.approx(90.01)
    assert samples["keraport_queue_seconds_bucket", "0.0005"] == 1
    assert samples["keraport_batch_rows_bucket", "4.0"] == 0
    assert samples["keraport_batch_rows_bucket", "8.0"] == 1
    assert samples["keraport_batch_rows_sum", ""] == 5
    assert ("keraport_build_info", "") in samples


def test_other_paths_and_methods_are_refused_and_failures_leak_nothing(caplog) -> None:
    def fail() -> ServerCounts:
        raise RuntimeError("secret")

    port, stop = start_metrics("127.0.0.1", 0, fail)
    try:
        for path, method, status in (("/", "GET", 404), ("/metrics", "POST", 501), ("/metrics", "GET", 500)):
            refused = asked(port, method=method, path=path)
            assert refused[0] == status
            assert "secret" not in refused[2]
    finally:
        stop()
    assert "could not be collected" in caplog.text


def test_idle_connections_take_a_bounded_number_of_threads_and_only_for_a_while(monkeypatch) -> None:
    monkeypatch.setattr("serving.operations.metrics_server.MAX_SECONDS", 0.5)
    with served(counted()) as port, contextlib.ExitStack() as stack:
        before = threading.active_count()
        idle = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(30)]
        for connection in idle:
            connection.settimeout(10)
            assert connection.recv(1) == b""  # all were closed: most at once, the others after their time
            assert threading.active_count() <= before + MAX_CONNECTIONS
        assert "keraport_workers 2.0" in asked(port)[2]


def test_a_taken_port_is_one_error_that_says_the_mend() -> None:
    with served(()) as port, pytest.raises(AddressError, match="--metrics-port"):
        start_metrics("127.0.0.1", port, lambda: ServerCounts(models=(), workers=0, restarts=0))


def test_metrics_need_neither_numpy_nor_grpc() -> None:
    program = (
        "import sys\n"
        "from serving.operations.exposition import ServerCollector, ServerCounts, text_of\n"
        "import serving.operations.metrics_server\n"
        "collector = ServerCollector(lambda: ServerCounts(models=(), workers=1, restarts=0))\n"
        "assert b'keraport_workers 1.0' in text_of(collector, '')[0]\n"
        "print({'numpy', 'grpc', 'google', 'onnxruntime'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
