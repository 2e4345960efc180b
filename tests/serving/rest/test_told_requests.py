"""What is told of requests over HTTP, refused ones too: in the access log, in counts, to clients by an id."""

import json

import pytest

from serving.settings import Limits

TENSOR = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}
INFER = "/v2/models/FP32/infer"


@pytest.fixture
def logged(rest_of, tmp_path):
    """A server, and what tells the lines that it has logged."""
    path = tmp_path / "access.log"
    with rest_of(access_log=str(path), limits=Limits(max_header_kib=16, max_message_mib=1)) as server:
        yield server, lambda: [json.loads(line) for line in path.read_text().splitlines()]


def told(line, *names):
    return tuple(line[name] for name in names)


def test_what_is_no_request_of_the_protocol_is_told_of(logged):
    rest, lines = logged
    assert rest.get("/v2/model")[0] == 404
    status, headers, body = rest.ask("DELETE", INFER, headers={"X-Request-Id": "d-1"})
    assert (status, headers["Allow"], headers["X-Request-Id"]) == (405, "POST", "d-1")
    assert "is not for this path" in json.loads(body)["error"]
    with rest.socket() as connection:
        connection.sendall(b"\x16\x03\x01 no HTTP\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 400")
    assert rest.ask("GET", "/v2", headers={f"X-{number}": "x" * 4000 for number in range(5)})[0] == 431
    assert [told(line, "protocol", "method", "status", "model") for line in lines()] == [
        ("http", "Unknown", "INVALID_ARGUMENT", ""),
        ("http", "Unknown", "INVALID_ARGUMENT", ""),
        ("http", "Unknown", "INVALID_ARGUMENT", ""),
        ("http", "ServerMetadata", "INVALID_ARGUMENT", ""),
    ]
    assert lines()[1]["id"] == "d-1"
    assert all(line["peer"].startswith("127.0.0.1:") for line in lines())


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/v2/models/FP32", "ModelMetadata"),
        ("/v2/models/FP32/ready", "ModelReady"),
        ("/v2/models/FP32/config", "ModelConfig"),
        ("/v2/models/FP32/stats", "ModelStatistics"),
    ],
)
def test_who_asks_for_a_model_names_it(logged, path, method):
    rest, lines = logged
    assert rest.get(path)[0] == 200
    rest.get(path.replace("FP32", "none/versions/7"))
    known, unknown = lines()
    assert told(known, "method", "model", "version", "status") == (method, "FP32", "", "OK")
    assert told(unknown, "method", "model", "version", "status") == (method, "none", "7", "NOT_FOUND")


@pytest.mark.parametrize(
    ("content", "request_id"),
    [
        (b"no JSON", None),
        (json.dumps({"id": "a-1", "inputs": [{**TENSOR, "data": [1]}]}).encode(), "a-1"),
        (json.dumps({"id": "a-1", "inputs": [TENSOR], "parameters": {"priority": -1}}).encode(), "a-1"),
        (bytes(2**21), None),
    ],
)
def test_a_request_that_is_refused_while_it_is_read_counts_for_its_model(logged, content, request_id):
    rest, lines = logged
    assert rest.post(INFER, content)[0] in (400, 413)
    assert rest.post(INFER.replace("FP32", "none"), content)[0] in (400, 413)
    line, other = lines()
    assert told(line, "model", "status") == ("FP32", "INVALID_ARGUMENT")
    assert other["model"] == "none"
    assert request_id is None or line["id"] == request_id
    statistics = {each["name"]: each for each in rest.get("/v2/models/stats")[1]["model_stats"]}
    fails = {name: int(each["inference_stats"]["fail"].get("count", 0)) for name, each in statistics.items()}
    assert fails.pop("FP32") == 1
    assert set(fails.values()) == {0}


def test_the_id_of_the_line_is_the_answers(logged):
    rest, lines = logged
    asked = [
        ({"id": "a-1", "inputs": [TENSOR]}, {"X-Request-Id": "h-1"}),
        ({"inputs": [TENSOR]}, {"X-Request-Id": "h-2"}),
        ({"inputs": []}, {"X-Request-Id": "h-3"}),
        ({"inputs": [TENSOR]}, {}),
        ({"inputs": [TENSOR]}, {"X-Request-Id": "not plain \xff"}),
        ({"inputs": [TENSOR]}, {"X-Request-Id": "x" * 129}),
    ]
    answers = [rest.ask("POST", INFER, json.dumps(content).encode(), headers) for content, headers in asked]
    ids = [headers["X-Request-Id"] for _, headers, _ in answers]
    assert ids == [line["id"] for line in lines()]
    assert ids[:3] == ["a-1", "h-2", "h-3"]
    assert len(set(ids)) == len(ids)
    assert all(each.isalnum() and len(each) == 32 for each in ids[3:])
    assert [json.loads(body).get("id") for _, _, body in answers] == ["a-1", *[None] * 5]


def test_an_id_that_could_forge_headers_is_in_none(logged):
    rest, lines = logged
    forged = "a\r\nSet-Cookie: b"
    status, headers, body = rest.ask("POST", INFER, json.dumps({"id": forged, "inputs": [TENSOR]}).encode())
    assert (status, json.loads(body)["id"], lines()[0]["id"]) == (200, forged, forged)
    assert "X-Request-Id" not in headers
    assert "Set-Cookie" not in headers


def test_nobody_is_told_and_only_the_clients_own_id_is_answered(rest):
    content = json.dumps({"inputs": [TENSOR]}).encode()
    assert rest.ask("POST", INFER, content, {"X-Request-Id": "h-1"})[1]["X-Request-Id"] == "h-1"
    assert "X-Request-Id" not in rest.ask("POST", INFER, content)[1]
