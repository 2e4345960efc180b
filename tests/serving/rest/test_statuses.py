"""What happens to requests that wait too long, are too many, too large, or whose client is gone."""

import gzip
import json
import threading
import zlib

import pytest

from serving.settings import Limits, ModelSettings

MIB = 1024 * 1024
REQUEST = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]}
INFER = "/v2/models/FP32/infer"


@pytest.fixture
def asked_in_background():
    """Ask in a thread; the answers of all are collected at the end."""
    threads, answers = [], []

    def ask(rest, request):
        thread = threading.Thread(target=lambda: answers.append(rest.post(INFER, request)[0]))
        thread.start()
        threads.append(thread)

    def collect():
        for thread in threads:
            thread.join(30)
        return answers

    yield ask, collect
    collect()


def raw_request(content):
    return b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (
        INFER.encode(),
        len(content),
        content,
    )


def test_a_full_queue_sheds_and_a_passed_deadline_expires(rest_of, asked_in_background):
    ask, collect = asked_in_background
    with rest_of(models=ModelSettings(max_queue=2)) as rest:
        rest.call(rest.bench.open.clear)
        ask(rest, REQUEST)
        rest.until(lambda: rest.bench.running == 1)
        status, answer = rest.post(INFER, {**REQUEST, "parameters": {"timeout": 10_000}})
        assert status == 504
        assert "deadline" in answer["error"]
        ask(rest, REQUEST)
        ask(rest, REQUEST)
        rest.until(lambda: rest.bench.waiting() == 2)
        status, headers, body = rest.ask("POST", INFER, json.dumps(REQUEST))
        assert (status, headers["Retry-After"]) == (429, "1")
        assert "try again" in json.loads(body)["error"]
        rest.call(rest.bench.open.set)
        assert collect() == [200, 200, 200]


def test_who_is_gone_frees_its_place(rest_of, asked_in_background):
    ask, collect = asked_in_background
    with rest_of() as rest:
        rest.call(rest.bench.open.clear)
        ask(rest, REQUEST)
        rest.until(lambda: rest.bench.running == 1)
        with rest.socket() as gone, rest.socket() as stays:
            gone.sendall(raw_request(json.dumps(REQUEST).encode()))
            rest.until(lambda: rest.bench.waiting() == 1)
            stays.sendall(raw_request(json.dumps(REQUEST).encode()))
            rest.until(lambda: rest.bench.waiting() == 2)
            gone.close()
            rest.until(lambda: rest.bench.waiting() == 1)
            rest.call(rest.bench.open.set)
            assert stays.recv(100).startswith(b"HTTP/1.1 200")
        assert collect() == [200]


def test_what_is_unexpected_leaks_nothing(rest, caplog):
    request = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1, 2], "data": [666, 0]}]}
    status, answer = rest.post("/v2/models/FP64/infer", request)
    assert (status, answer) == (500, {"error": "internal error: the server's log has the details"})
    assert "a secret" in caplog.text
    assert rest.post(INFER, REQUEST)[0] == 200


def test_bodies_over_the_limit(rest_of):
    with rest_of(limits=Limits(max_message_mib=1)) as rest:
        body = json.dumps({**REQUEST, "more": "x" * MIB}).encode()
        status, answer = rest.post(INFER, body)
        assert (status, answer["error"]) == (413, f"the body is over {MIB} bytes: split the request")
        # Without a length that would say so beforehand.
        assert rest.ask("POST", INFER, iter([body[:MIB], body[MIB:]]), {})[0] == 413
        for encoding, pack in (("gzip", gzip.compress), ("deflate", zlib.compress)):
            bomb = pack(bytes(20 * MIB))
            assert len(bomb) < MIB // 10
            assert rest.post(INFER, bomb, {"Content-Encoding": encoding})[0] == 413
        status, answer = rest.post("/v2/repository/index", b" " * (64 * 1024 + 1))
        assert status == 413
        assert rest.post(INFER, REQUEST)[0] == 200


def test_a_refusal_comes_before_the_body(rest):
    with rest.socket() as connection:
        head = f"POST {INFER} HTTP/1.1\r\nHost: a\r\nContent-Length: {2**40}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_answers_over_the_limit(rest_of):
    with rest_of(limits=Limits(max_message_mib=1)) as rest:
        width = 2**17 + 1
        tensor = {"name": "x", "datatype": "FP64", "shape": [1, width], "data": [0] * width}
        body = json.dumps({"inputs": [tensor]}, separators=(",", ":")).encode()
        assert len(body) < MIB
        status, answer = rest.post("/v2/models/wide/infer", body)
        assert status == 400
        assert "fewer rows" in answer["error"]


def test_headers_over_the_limit(rest):
    assert rest.ask("GET", "/v2", headers={"X-Long": "x" * 17_000})[0] in (400, 431)
    status, _, body = rest.ask("GET", "/v2", headers={f"X-{number}": "x" * 100 for number in range(90)})
    assert status == 200, body


def test_what_is_not_http(rest):
    with rest.socket() as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(1000), b""))
    head, body = answer.split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert json.loads(body) == {"error": "Invalid HTTP request received."}
