"""Connections that say nothing, take nothing, or are too many; the end of the server."""

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time

import pytest
import trustme

from serving.rest import body as body_module
from serving.rest.connections import Patience

REQUEST = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]}
INFER = "/v2/models/FP32/infer"
GET = b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n"


def everything(connection):
    """All that still comes; nothing if the other side broke off."""
    try:
        return b"".join(iter(lambda: connection.recv(2**16), b""))
    except ConnectionResetError:
        return b""


def send_forever(connection):
    while True:
        connection.sendall(bytes(2**16))


@pytest.mark.parametrize("sent", [b"", GET[:-2], GET + GET[:-2]])
def test_a_head_that_does_not_end_is_given_up(rest_of, sent):
    with rest_of(patience=Patience(head_s=0.2)) as rest, rest.socket() as connection:
        connection.sendall(sent)
        assert everything(connection).count(b"200 OK") == sent.count(GET)
        assert rest.get("/v2/health/live")[0] == 200


def test_an_answered_connection_may_wait_longer_than_a_head(rest_of):
    with rest_of(patience=Patience(head_s=0.5)) as rest:
        connection = http.client.HTTPConnection("127.0.0.1", rest.port, timeout=30)
        with contextlib.closing(connection):
            for pause_s in (0.7, 0):
                connection.request("GET", "/v2/health/live")
                assert connection.getresponse().read() == b'{"live":true}'
                time.sleep(pause_s)


@pytest.mark.parametrize(
    ("lengths", "said"),
    [
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"came both"),
        (b"Transfer-Encoding: chunked\r\ncontent-length: 47", b"came both"),
        (b"Content-Length: 5\r\nContent-Length: 47", b"Invalid HTTP request"),
        (b"Content-Length: 5, 47", b"Invalid HTTP request"),
        (b"Transfer-Encoding: gzip, chunked", b"Invalid HTTP request"),
        (b"Content-Length: +5", b"Invalid HTTP request"),
    ],
)
def test_a_request_with_two_lengths_smuggles_no_other(rest, lengths, said):
    head = b"POST %s HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n" % (INFER.encode(), lengths)
    with rest.socket() as connection:
        connection.sendall(head + b"0\r\n\r\n" + GET)
        answer = everything(connection)
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 1
    assert said in answer


def test_a_length_that_comes_twice_alike_is_one(rest):
    content = json.dumps(REQUEST).encode()
    length = b"Content-Length: %d\r\n" % len(content)
    with rest.socket() as connection:
        connection.sendall(
            b"POST %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" % INFER.encode()
            + length * 2
            + b"\r\n"
            + content
        )
        assert everything(connection).startswith(b"HTTP/1.1 200")


def test_the_longest_idle_connection_makes_room(rest_of):
    with rest_of(patience=Patience(max_connections=3)) as rest:
        idlers = [rest.socket() for _ in range(3)]
        rest.until(lambda: True)
        for _ in range(20):
            assert rest.get("/v2/health/live")[0] == 200
        assert everything(idlers[0]) == b""
        for idler in idlers:
            idler.close()


def test_a_body_that_dribbles_is_given_up(rest_of, monkeypatch):
    monkeypatch.setattr(body_module, "BODY_SECONDS", 0.5)
    with rest_of() as rest, rest.socket() as connection:
        connection.sendall(f"POST {INFER} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 408")
        assert rest.post(INFER, REQUEST)[0] == 200


def test_the_rest_of_a_refused_body_is_not_read_for_long(rest_of):
    with rest_of(patience=Patience(rest_s=0.2)) as rest, rest.socket() as connection:
        connection.sendall(f"POST {INFER} HTTP/1.1\r\nHost: a\r\nContent-Length: {2**40}\r\n\r\n".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 413")
        with pytest.raises(ConnectionError):
            send_forever(connection)
        assert rest.post(INFER, REQUEST)[0] == 200


def test_bodies_on_their_way_share_a_limit(rest_of, monkeypatch):
    monkeypatch.setattr(body_module, "BODIES_AT_ONCE", 0)
    with rest_of() as rest:
        status, answer = rest.post(INFER, REQUEST)
        assert status == 429
        assert "on their way" in answer["error"]


def test_who_does_not_read_is_given_up(rest_of):
    width, times = 2**19, 4
    with rest_of(patience=Patience(stall_s=0.2)) as rest, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", rest.port))
        connection.settimeout(30)
        tensor = {
            "name": "x",
            "datatype": "FP64",
            "shape": [1, width],
            "parameters": {"binary_data_size": width * 8},
        }
        head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
        content = head + bytes(width * 8)
        request = (
            f"POST /v2/models/wide/infer HTTP/1.1\r\nHost: a\r\nContent-Length: {len(content)}\r\n"
            f"Inference-Header-Content-Length: {len(head)}\r\n\r\n"
        )
        with contextlib.suppress(ConnectionError):
            for _ in range(times):
                connection.sendall(request.encode() + content)
        time.sleep(0.7)
        assert len(everything(connection)) < width * 8 * times
        assert rest.post(INFER, REQUEST)[0] == 200


def test_what_was_asked_before_the_end_is_answered(rest_of):
    answers = []
    with rest_of() as rest:
        idle = rest.socket()
        rest.call(rest.bench.open.clear)
        asking = threading.Thread(target=lambda: answers.append(rest.post(INFER, REQUEST)[0]))
        asking.start()
        rest.until(lambda: rest.bench.running == 1)
        rest.loop.call_soon_threadsafe(rest.loop.call_later, 0.3, rest.bench.open.set)
    asking.join(30)
    assert answers == [200]
    with idle:
        assert everything(idle) == b""
    with pytest.raises(ConnectionRefusedError):
        rest.socket()


def test_the_end_waits_no_longer_than_its_grace(rest_of):
    with rest_of(grace_s=0.2) as rest:
        rest.call(rest.bench.open.clear)
        connection = rest.socket()
        content = json.dumps(REQUEST).encode()
        head = f"POST {INFER} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(content)}\r\n\r\n"
        connection.sendall(head.encode() + content)
        rest.until(lambda: rest.bench.running == 1)
    with connection:
        assert everything(connection).startswith(b"HTTP/1.1 503")


def test_tls(rest_of):
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    served, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    certificate.configure_cert(served)
    authority.configure_trust(trusting)
    with rest_of(tls=served, patience=Patience(head_s=1.0)) as rest:
        secure = http.client.HTTPSConnection("127.0.0.1", rest.port, timeout=30, context=trusting)
        with contextlib.closing(secure), rest.socket() as silent, rest.socket() as plain:
            secure.request("POST", INFER, json.dumps(REQUEST))
            response = secure.getresponse()
            assert response.status == 200
            assert json.loads(response.read())["outputs"][0]["data"] == [1.0, 2.0]
            plain.sendall(GET)
            assert b"200 OK" not in everything(plain)
            assert everything(silent) == b""  # no handshake in time
