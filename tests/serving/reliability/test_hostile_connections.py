"""Clients that read slowly, idle, stop halfway, or send too much: others are served meanwhile."""

import asyncio
import contextlib
import http.client
import itertools
import resource
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

import grpc.aio
import numpy as np
import pytest

from serving.codec import encode
from serving.proto import inference_pb2 as pb
from serving.proto.methods import METHODS

IDLE = 1_000
FILES = 4_096
GIB = 1 << 30
MIB = 1 << 20
# What the server may hold more than before, whatever is thrown at it; a message may have 64 MiB.
MOST_MORE = 320 * MIB

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9
END_STREAM, END_HEADERS = 1, 4
INITIAL_WINDOW_SIZE = 4


@pytest.fixture(scope="module")
def server(tmp_path_factory, publish_classifier, start_server):
    """One server, with the right to as many files as its attackers."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(FILES, hard)), hard))
    repository = tmp_path_factory.mktemp("attacked")
    publish_classifier(repository)
    yield start_server(repository, "--grpc-compression")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
async def attack(server, crowd_of, memory_of, report):
    """What others may be asked to see while it goes on; all that it opened is closed at its end."""
    async with contextlib.AsyncExitStack() as stack:
        crowd = await stack.enter_async_context(crowd_of(server, connections=2))
        attack = Attack(server, crowd, stack)
        await attack.others_are_served()
        before, peak_before = memory_of(server), memory_of(server, "VmHWM")
        yield attack
        await attack.others_are_served()
        more = memory_of(server, "VmHWM") - before
        report(calm_s=attack.seconds[0], attacked_s=max(attack.seconds), more_mib=more // MIB)
        assert more < max(MOST_MORE, peak_before - before)
    assert server.process.poll() is None


class Attack:
    """Raw connections to a server, and the others who want to be served."""

    def __init__(self, server, crowd, stack):
        self.url = server.url
        self._addresses = {"grpc": server.url, "http": urlsplit(server.http_url).netloc}
        self.seconds = []
        self._crowd = crowd
        self._stack = stack
        self._numbers = itertools.count()

    async def others_are_served(self, requests=32):
        """All of them, by rightful answers, over connections old and new."""
        channel = grpc.aio.insecure_channel(self.url, options=(("grpc.use_local_subchannel_pool", 1),))
        async with channel:
            await channel.unary_unary(METHODS["ServerLive"].path)(b"", timeout=60)
        await asyncio.to_thread(self._get_live)
        for _ in range(2):
            numbers = itertools.islice(self._numbers, requests)
            replies = await asyncio.gather(*(self._crowd.ask(number, 1 + number % 64) for number in numbers))
            assert [reply for reply in replies if not reply.answered] == []
            self.seconds.append(max(reply.seconds for reply in replies))

    def _get_live(self):
        with contextlib.closing(
            http.client.HTTPConnection(self._addresses["http"], timeout=60)
        ) as connection:
            connection.request("GET", "/v2/health/live")
            assert connection.getresponse().status == 200

    async def connect(self, *content: bytes, over: str = "grpc") -> "Connection":
        """A connection that sends this, and of which nobody reads unless asked to."""
        host, port = self._addresses[over].rsplit(":", 1)
        connection = socket.socket()
        connection.setblocking(False)
        self._stack.callback(connection.close)
        await asyncio.get_running_loop().sock_connect(connection, (host, int(port)))
        connection = Connection(connection)
        await connection.send(*content)
        return connection


class Connection:
    """One that says whatever it is told to."""

    def __init__(self, connection):
        self._socket = connection
        self._loop = asyncio.get_running_loop()
        self.seen = b""

    async def send(self, *content):
        await self._loop.sock_sendall(self._socket, b"".join(content))

    async def received(self, text: bytes) -> bytes:
        """What the server has sent, up to this text and what comes with it, or to its end."""
        while text not in self.seen[:-1] and (part := await self._part()):
            self.seen += part
        return self.seen

    async def takes(self, parts: Iterable[bytes]) -> bool:
        """Whether the server lets all of this come; it is read meanwhile, so that it can."""
        reading = asyncio.create_task(self._read_on())
        try:
            for part in parts:
                await asyncio.wait_for(self.send(part), 5)
                if reading.done():
                    return False
        except (ConnectionError, TimeoutError):
            return False
        finally:
            reading.cancel()
            await asyncio.wait([reading])
        return True

    async def _part(self):
        try:
            return await asyncio.wait_for(self._loop.sock_recv(self._socket, 65_536), 60)
        except ConnectionError:
            return b""

    async def _read_on(self):
        while part := await self._part():
            self.seen += part


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def settings(**values):
    entries = [key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in values.items()]
    return frame(SETTINGS, 0, 0, b"".join(entries))


def literal(name: bytes, value: bytes) -> bytes:
    """A header in HPACK's plainest form."""
    return b"\x00" + _counted(name) + _counted(value)


def _counted(text):
    if len(text) < 127:
        return bytes([len(text)]) + text
    rest, encoded = len(text) - 127, bytearray([127])
    while rest >= 128:
        encoded.append(rest % 128 + 128)
        rest //= 128
    return bytes([*encoded, rest]) + text


def request_headers(method="ModelInfer"):
    pairs = {
        b":method": b"POST",
        b":scheme": b"http",
        b":path": METHODS[method].path.encode(),
        b":authority": b"localhost",
        b"content-type": b"application/grpc",
        b"te": b"trailers",
    }
    return b"".join(itertools.starmap(literal, pairs.items()))


def message(rows=1):
    """A gRPC message of a request."""
    request = pb.ModelInferRequest(model_name="digits")
    encode({"image": np.zeros((rows, 28, 28, 1), np.uint8)}, request.inputs, request.raw_input_contents)
    content = request.SerializeToString()
    return b"\0" + len(content).to_bytes(4, "big") + content


def opening(*entries):
    return PREFACE + frame(SETTINGS, 0, 0, b"".join(entries))


NO_WINDOW = INITIAL_WINDOW_SIZE.to_bytes(2, "big") + (0).to_bytes(4, "big")


async def test_readers_that_let_no_answer_come(attack):
    """1,200 answers for which there is no window; their requests fit into the server's own."""
    asked = [
        frame(HEADERS, END_HEADERS, stream, request_headers()) + frame(DATA, END_STREAM, stream, message())
        for stream in range(1, 120, 2)
    ]
    await asyncio.gather(*(attack.connect(opening(NO_WINDOW), *asked) for _ in range(20)))
    await attack.others_are_served()


@pytest.mark.slow
async def test_a_stream_whose_answers_nobody_reads_is_held_back(attack):
    async with grpc.aio.insecure_channel(attack.url) as channel:
        stream = channel.stream_stream(METHODS["ModelStreamInfer"].path)(timeout=120)
        content = message(64)[5:]
        for _ in range(20_000):  # a gigabyte
            try:
                await asyncio.wait_for(stream.write(content), 1)
            except TimeoutError:
                break
        else:
            pytest.fail("the server takes in whatever comes, though no answer can leave")
        await attack.others_are_served()
        stream.cancel()


async def test_idle_connections(attack):
    await asyncio.gather(*(attack.connect(opening()) for _ in range(IDLE)))
    await attack.others_are_served()


async def test_connections_that_stop_halfway(attack):
    begun = opening() + frame(HEADERS, END_HEADERS, 1, request_headers())
    halves = (
        b"",
        PREFACE[:10],
        opening()[:-3],
        opening() + frame(HEADERS, 0, 1, request_headers()),  # more headers are to follow
        begun,
        begun + frame(DATA, 0, 1, message()[:300]),
        begun + frame(DATA, 0, 1, message())[:50],
        opening() + frame(HEADERS, END_HEADERS, 1, request_headers("ModelStreamInfer")),
        b"GET / HTTP/1.1\r\nHost: localhost\r\n",
    )
    await asyncio.gather(*(attack.connect(half) for half in halves for _ in range(20)))
    await attack.others_are_served()


@pytest.mark.parametrize(
    "declared", [GIB, *(pytest.param(size, marks=pytest.mark.slow) for size in (65 * MIB, 2**32 - 1))]
)
async def test_a_message_that_says_it_is_too_long(attack, declared):
    """Its length alone is enough to refuse it, by the status that says so."""
    start = b"\0" + declared.to_bytes(4, "big") + bytes(1000)
    connection = await attack.connect(
        opening(), frame(HEADERS, END_HEADERS, 1, request_headers()), frame(DATA, 0, 1, start)
    )
    assert b"grpc-status\x018" in await connection.received(b"grpc-status\x01")
    await attack.others_are_served()


@pytest.mark.slow
async def test_a_message_that_goes_on_for_a_gigabyte(attack):
    """A client that sends on, whatever the server says of windows and streams, is cut off."""
    start = b"\0" + GIB.to_bytes(4, "big")
    connection = await attack.connect(
        opening(), frame(HEADERS, END_HEADERS, 1, request_headers()), frame(DATA, 0, 1, start)
    )
    part = frame(DATA, 0, 1, bytes(16_384))
    assert not await connection.takes(itertools.repeat(part, GIB // 16_384))


@pytest.mark.parametrize("packing", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
@pytest.mark.slow
@pytest.mark.parametrize("size", [100 * MIB, GIB])
async def test_a_message_that_is_too_long(attack, size, packing):
    """From a client that knows no limit; packed, it is only about a thousandth as long."""
    options = (("grpc.max_send_message_length", -1),)
    async with grpc.aio.insecure_channel(attack.url, options=options, compression=packing) as channel:
        infer = channel.unary_unary(METHODS["ModelInfer"].path)
        sending = asyncio.ensure_future(infer(bytes(size), timeout=120))
        await attack.others_are_served()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await sending
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("ends", [True, pytest.param(False, marks=pytest.mark.slow)])
async def test_a_flood_of_headers(attack, ends):
    """64 MiB of them: refused once they end, held nowhere as long as they do not."""
    connection = await attack.connect(opening(), frame(HEADERS, 0, 1, request_headers()))
    part = b"".join(literal(b"x-%d" % number, bytes(100)) for number in range(140))
    flood = itertools.repeat(frame(CONTINUATION, 0, 1, part), 64 * MIB // len(part))
    taken = await connection.takes(flood)
    await attack.others_are_served()
    if ends and taken:
        await connection.send(frame(CONTINUATION, END_HEADERS, 1))
        assert b"grpc-status\x018" in await connection.received(b"grpc-status\x01")


@pytest.mark.slow
async def test_a_header_that_is_too_long(attack):
    async with grpc.aio.insecure_channel(attack.url) as channel:
        live = channel.unary_unary(METHODS["ServerLive"].path)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await live(b"", metadata=(("x-long", "x" * MIB),), timeout=60)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    await attack.others_are_served()


async def test_requests_that_are_taken_back_at_once(attack):
    asked = [
        frame(HEADERS, END_HEADERS, stream, request_headers())
        + frame(RST_STREAM, 0, stream, (8).to_bytes(4, "big"))
        for stream in range(1, 4_000, 2)
    ]
    await asyncio.gather(*(attack.connect(opening(), *asked) for _ in range(4)))
    await attack.others_are_served()


@pytest.mark.slow
async def test_pings_without_end(attack):
    connection = await attack.connect(opening())
    await connection.takes(itertools.repeat(frame(PING, 0, 0, bytes(8)), 200_000))
    await attack.others_are_served()


HTTP_HEAD = b"POST /v2/models/digits/infer HTTP/1.1\r\nHost: localhost\r\n"


async def test_http_connections_that_idle_or_stop_halfway(attack):
    halves = (
        b"",
        b"GE",
        HTTP_HEAD,
        HTTP_HEAD + b"X-Long: aaaaaaaa",
        HTTP_HEAD + b"Content-Length: 1000\r\n\r\n{",
        HTTP_HEAD + b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n{",
        PREFACE,
    )
    await asyncio.gather(*(attack.connect(half, over="http") for half in halves for _ in range(40)))
    await attack.others_are_served()


@pytest.mark.slow
async def test_http_bodies_that_go_on_for_a_gigabyte(attack):
    """Refused by its length, or cut off once it is too long."""
    declared = await attack.connect(HTTP_HEAD, b"Content-Length: %d\r\n\r\n" % GIB, over="http")
    assert b" 413 " in await declared.received(b"\r\n")
    chunked = await attack.connect(HTTP_HEAD, b"Transfer-Encoding: chunked\r\n\r\n", over="http")
    chunk = b"%x\r\n" % MIB + bytes(MIB) + b"\r\n"
    await chunked.takes(itertools.repeat(chunk, 1024))
    assert b" 413 " in chunked.seen
    await attack.others_are_served()


@pytest.mark.parametrize("part", [b"X-%d: " + b"a" * 100 + b"\r\n", b"a" * 100], ids=["many", "one"])
async def test_a_flood_of_http_headers(attack, part):
    connection = await attack.connect(HTTP_HEAD, over="http")
    parts = (part % number if b"%d" in part else part for number in range(64 * MIB // len(part)))
    assert not await connection.takes(parts)
    await attack.others_are_served()
