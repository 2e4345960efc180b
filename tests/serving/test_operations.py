"""One server with all that operators see of it, asked over the wire."""

import http.client
import json
import re
import signal

import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.proto import inference_pb2 as pb
from serving.proto.methods import SERVICE

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = (("traceparent", f"00-{TRACE}-{PARENT}-01"),)


@pytest.fixture
def server(tmp_path, publish_classifier, start_server, collector):
    publish_classifier(tmp_path / "models")
    return start_server(
        *(tmp_path / "models", "--workers=2", "--metrics-port=0"),
        *("--access-log", tmp_path / "access.log", "--traces", collector.address),
    )


def call(channel, method, request, answer, **options):
    unary = channel.unary_unary(
        f"/{SERVICE.full_name}/{method}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=answer.FromString,
    )
    return unary(request, timeout=20, **options)


def infer(channel, images, request_id, **options):
    request = pb.ModelInferRequest(model_name="digits", id=request_id)
    request.inputs.add(name="image", datatype="UINT8", shape=images.shape)
    request.raw_input_contents.append(images.tobytes())
    return call(channel, "ModelInfer", request, pb.ModelInferResponse, **options)


def metrics(server):
    address = re.search(r"metrics on ([^\s,]+)", server.log.read_text())[1]
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return {
        (sample.name.removesuffix("_total"), sample.labels.get("reason", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_request_is_counted_logged_and_traced(server, collector, images, tmp_path):
    with grpc.insecure_channel(server.url) as channel:
        for number in range(3):
            infer(channel, images, f"a-{number}", metadata=TRACEPARENT)
        with pytest.raises(grpc.RpcError, match="INVALID_ARGUMENT"):
            infer(channel, images[:, :27], "bad")
        request = pb.ModelStatisticsRequest(name="digits")
        (counted,) = call(channel, "ModelStatistics", request, pb.ModelStatisticsResponse).model_stats

    samples = metrics(server)
    assert samples["nv_inference_request_success", ""] == counted.inference_stats.success.count == 3
    assert samples["nv_inference_count", ""] == counted.inference_count == 15
    assert samples["nv_inference_exec_count", ""] == counted.execution_count == 3
    assert samples["nv_inference_request_failure", "OTHER"] == counted.inference_stats.fail.count == 1
    assert samples["nv_inference_pending_request_count", ""] == 0
    assert samples["keraport_request_seconds_count", ""] == 3
    assert samples["keraport_workers", ""] == samples["keraport_model_ready", ""] == 2

    lines = {line["id"]: line for line in map(json.loads, (tmp_path / "access.log").read_text().splitlines())}
    (made,) = lines.keys() - {"a-0", "a-1", "a-2", "bad"}
    assert (lines[made]["method"], lines[made]["model"]) == ("ModelStatistics", "digits")
    answered, refused = lines["a-1"], lines["bad"]
    assert (answered["status"], answered["rows"], answered["batch_rows"]) == ("OK", 5, 5)
    assert (answered["method"], answered["model"], answered["version"]) == ("ModelInfer", "digits", "1")
    assert answered["trace_id"] == TRACE
    assert answered["peer"].startswith("ipv4:127.0.0.1:")
    assert 0 <= answered["queue_ms"] <= answered["duration_ms"]
    assert (refused["status"], refused["rows"]) == ("INVALID_ARGUMENT", None)

    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(20) == 0
    inner = [span for span in collector.all_spans if span.trace_id.hex() == TRACE]
    tops = [span for span in inner if span.parent_span_id.hex() == PARENT]
    assert sorted(collector.attributes(span)["keraport.request_id"] for span in tops) == ["a-0", "a-1", "a-2"]
    assert {span.parent_span_id for span in inner if span not in tops} == {span.span_id for span in tops}
    assert sorted(span.name for span in inner) == ["ModelInfer"] * 3 + ["compute"] * 3 + ["queue"] * 3
    others = {span.name: collector.attributes(span) for span in collector.all_spans if span not in inner}
    assert others.keys() == {"ModelInfer", "ModelStatistics"}
    assert others["ModelInfer"]["keraport.status"] == "INVALID_ARGUMENT"


def test_a_log_that_cannot_be_written_is_one_error_before_anything_is_loaded(keraport, tmp_path):
    missing = tmp_path / "missing"
    log = ("--access-log", missing / "access.log")
    result = keraport("serve", "--repository", missing, "--port=0", "--metrics-port=off", *log)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: the access log")
    assert "choose another --access-log" in line
