"""What hostile clients get from gRPC, over raw sockets, and that others are served meanwhile."""

import asyncio
import contextlib
import ssl
import struct

import grpc.aio
import pytest

from serving.operations.watching import Watcher
from serving.rpc.channel_options import Patience, channel_options
from serving.rpc.guard import guard
from serving.rpc.server import Server
from serving.rpc.status import code_name
from serving.security.certificates import Certificates
from serving.security.tls import grpc_credentials
from serving.security.tokens import Tokens
from serving.settings import Limits

PATH = "/inference.GRPCInferenceService/ModelInfer"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
LIMITS = Limits(max_message_mib=1, max_streams=4, max_header_kib=16, grpc_compression=True)
HELLO = PREFACE + b"\0\0\0\4\0\0\0\0\0"  # with empty settings


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    """A header of HPACK that needs no tables; lengths as RFC 7541's integers of 7 bits."""
    return b"\0" + b"".join(integer(len(text)) + text for text in (name, value))


def integer(number):
    if number < 127:
        return bytes([number])
    out, number = bytearray([127]), number - 127
    while number >= 128:
        out.append(number % 128 + 128)
        number //= 128
    return bytes([*out, number])


def request_headers(*more):
    known = {":method": "POST", ":scheme": "http", ":path": PATH, ":authority": "x", "te": "trailers"}
    pairs = [*known.items(), ("content-type", "application/grpc"), *more]
    return b"".join(literal(name.encode(), value.encode()) for name, value in pairs)


class RawConnection:
    """HTTP/2 by hand."""

    def __init__(self, reader, writer):
        self._reader, self._writer = reader, writer

    async def send(self, *pieces):
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()

    async def ask(self, stream, headers=None, message=b"\0\0\0\0\2ab"):
        await self.send(
            frame(HEADERS, END_HEADERS, stream, request_headers() if headers is None else headers),
            frame(DATA, END_STREAM, stream, message),
        )

    async def next(self, kind, stream=0):
        """The next such frame's flags and content; None once the server has closed."""
        while True:
            try:
                head = await self._reader.readexactly(9)
                content = await self._reader.readexactly(int.from_bytes(head[:3], "big"))
            except (asyncio.IncompleteReadError, ConnectionError):
                return None
            if (head[3], int.from_bytes(head[5:], "big")) == (kind, stream):
                return head[4], content

    async def closed(self):
        """Wait until the server closes."""
        with contextlib.suppress(ConnectionError):
            while await self._reader.read(65536):
                pass
        return True


class Bench:
    """A server, raw connections to it, and a client that means well."""

    def __init__(self, stack):
        self._stack = stack

    async def start(self, limits=LIMITS, certificates=None, tokens=None, max_connections=100, **patience):
        options = channel_options(
            limits, reuse_port=False, max_connections=max_connections, patience=Patience(**patience)
        )
        admit = guard(tokens, Watcher(code_name, None, None)) if tokens else None
        server = Server({PATH: self._answer}, {}, options=options, admit=admit)
        self.port = server.listen(
            "127.0.0.1:0", None if certificates is None else grpc_credentials(certificates)
        )
        self.may_answer = asyncio.Event()
        server.start()
        self._stack.push_async_callback(server.stop, 0)
        url = f"127.0.0.1:{self.port}"
        if certificates is None:
            self.channel = await self._stack.enter_async_context(
                grpc.aio.insecure_channel(url, options=[("grpc.max_send_message_length", -1)])
            )

    async def _answer(self, request, _):
        if request == b"wait":
            await self.may_answer.wait()
        return str(len(request)).encode()

    async def connect(self, *, hello=True, **tls):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, **tls)
        self._stack.callback(writer.close)
        connection = RawConnection(reader, writer)
        if hello:
            await connection.send(HELLO)
        return connection

    async def ask(self, message=b"abc", **options):
        return await self.channel.unary_unary(PATH)(message, timeout=20, **options)

    async def status_of(self, message=b"abc", **options):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.ask(message, **options)
        return caught.value.code()


@pytest.fixture
async def bench():
    async with contextlib.AsyncExitStack() as stack, asyncio.timeout(30):
        yield Bench(stack)


async def test_who_never_begins_is_dropped_and_who_is_merely_idle_is_not(bench):
    await bench.start(handshake_s=0.5)
    idle = await bench.connect()
    beginnings = (b"", PREFACE[:10], PREFACE)
    silent = [await bench.connect(hello=False) for _ in beginnings]
    for connection, beginning in zip(silent, beginnings, strict=True):
        await connection.send(beginning)
    assert await bench.ask() == b"3"
    assert all([await connection.closed() for connection in silent])
    await idle.ask(1)
    assert await idle.next(DATA, 1) == (0, b"\0\0\0\0\0012")


async def test_who_never_finishes_tls_is_dropped(bench, files, authority):
    files.write(authority.issue_cert("localhost"))
    await bench.start(certificates=Certificates(files.settings()), handshake_s=0.5)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_alpn_protocols(["h2"])
    for beginning in (b"", b"\x16\x03\x01\x02\x00\x01"):
        connection = await bench.connect(hello=False)
        await connection.send(beginning)
        assert await connection.closed()
    connection = await bench.connect(hello=False, ssl=context, server_hostname="localhost")
    assert await connection.closed()


async def test_who_answers_no_ping_is_dropped(bench):
    await bench.start(ping_s=0.2, pong_s=0.5)
    gone = await bench.connect()
    alive = await bench.connect()
    for _ in range(5):
        _, content = await alive.next(PING)
        await alive.send(frame(PING, ACK, 0, content))
    assert await gone.closed()
    await alive.ask(1)
    assert await alive.next(DATA, 1) is not None


async def test_who_asks_nothing_is_told_to_come_back(bench):
    await bench.start(idle_s=0.5)
    connection = await bench.connect()
    assert b"idle" in (await connection.next(GOAWAY))[1]
    assert await bench.ask() == b"3"


async def test_a_connection_grows_old_but_its_requests_are_answered(bench):
    await bench.start(age_s=0.3)
    connection = await bench.connect()
    await connection.ask(1, message=b"\0\0\0\0\4wait")
    assert b"max_age" in (await connection.next(GOAWAY))[1]
    bench.may_answer.set()
    assert await connection.next(DATA, 1) == (0, b"\0\0\0\0\0014")


async def test_a_message_of_a_gigabyte_is_refused_at_its_first_bytes(bench):
    await bench.start(pong_s=1)
    connection = await bench.connect()
    beginning = b"\0" + struct.pack(">I", 1 << 30) + b"x" * 1000
    await connection.send(frame(HEADERS, END_HEADERS, 1, request_headers()), frame(DATA, 0, 1, beginning))
    flags, trailers = await connection.next(HEADERS, 1)
    assert flags & END_STREAM
    # RESOURCE_EXHAUSTED at once, or by older releases nothing, until the unanswered ping ends the connection.
    assert b"grpc-status\x018" in trailers or b"ping timeout" in trailers
    assert await bench.ask() == b"3"


@pytest.mark.parametrize("compression", list(grpc.Compression))
async def test_a_message_is_measured_after_decompression(bench, compression):
    await bench.start()
    limit = LIMITS.max_message_mib * 1024 * 1024
    assert await bench.ask(b"\0" * limit, compression=compression) == str(limit).encode()
    status = await bench.status_of(b"\0" * (limit + 1), compression=compression)
    assert status is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_large_headers_are_refused(bench):
    await bench.start()
    assert await bench.ask(metadata=[("x-large", "v" * 15_000)]) == b"3"
    status = await bench.status_of(metadata=[("x-large", "v" * 17_000)])
    assert status is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_others_are_served_during_a_flood_of_headers(bench):
    await bench.start()
    connection = await bench.connect()
    await connection.send(frame(HEADERS, 0, 1, request_headers()))
    more = frame(CONTINUATION, 0, 1, literal(b"x-more", b"v" * 16_000))
    flood = asyncio.create_task(connection.send(*[more] * 500))
    for _ in range(5):
        assert await bench.ask() == b"3"
    await flood
    assert await bench.ask() == b"3"


async def test_a_connection_has_only_so_many_streams(bench):
    await bench.start()
    connection = await bench.connect()
    for stream in (1, 3, 5, 7, 9):
        await connection.ask(stream, message=b"\0\0\0\0\4wait")
    assert await connection.next(RESET, 9) is not None
    assert await bench.ask() == b"3"
    bench.may_answer.set()


async def test_a_flood_of_requests_that_are_cancelled_at_once(bench):
    await bench.start()
    connection = await bench.connect()
    for stream in range(1, 4001, 2):
        await connection.ask(stream)
        await connection.send(frame(RESET, 0, stream, struct.pack(">I", 8)))
    assert await bench.ask() == b"3"


async def test_who_pings_without_end_is_cut_off(bench):
    await bench.start()
    connection = await bench.connect()
    with contextlib.suppress(ConnectionError):
        await connection.send(*[frame(PING, 0, 0, b"12345678")] * 100)
    assert await connection.closed()


async def test_a_process_has_only_so_many_connections(bench):
    await bench.start(max_connections=3)
    connections = [await bench.connect() for _ in range(3)]
    for connection in connections:
        assert await connection.next(SETTINGS) is not None
    assert await (await bench.connect(hello=False)).closed()
    await connections[0].send(b"no HTTP/2 at all, so that it ends")
    assert await connections[0].closed()
    assert await bench.ask(wait_for_ready=True) == b"3"


async def test_who_bears_no_token_is_refused_before_a_message_came(bench, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.touch(mode=0o600)
    tokens.write_text("infer sesame-sesame-sesame\n")
    await bench.start(tokens=Tokens(tokens))
    connection = await bench.connect()
    await connection.send(frame(HEADERS, END_HEADERS, 1, request_headers()))
    _, trailers = await connection.next(HEADERS, 1)
    assert b"grpc-status\x0216" in trailers  # UNAUTHENTICATED
    good, bad = (("authorization", f"Bearer {word}") for word in ("sesame-sesame-sesame", "sesame"))
    assert await bench.status_of(b"x" * 2**20, metadata=[bad]) is grpc.StatusCode.UNAUTHENTICATED
    assert await bench.status_of(metadata=[good, good]) is grpc.StatusCode.UNAUTHENTICATED
    assert await bench.ask(metadata=[good]) == b"3"
