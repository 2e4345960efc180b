"""The server over the wire, with methods of the tests' own."""

import asyncio

import grpc
import grpc.aio
import pytest

from serving.errors import ModelNotFound, QueueFull
from serving.rpc.call import Ended
from serving.rpc.server import Server


async def status_of(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def echo(content, _):
    return content


async def test_messages_of_all_sizes_come_back(bench):
    channel = await bench.serve({"/t/echo": echo})
    for size in (0, 1, 1000, 100_000, 4_000_000):
        content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        assert await channel.unary_unary("/t/echo")(content, timeout=20) == content


async def test_answers_that_wait_and_answers_that_do_not_go_to_their_askers(bench):
    async def answer(content, _):
        number = int(content)
        for _ in range(number % 3):
            await asyncio.sleep(0)
        if number % 5 == 0:
            await asyncio.sleep(0.001)
        return b"answer to " + content

    channel = await bench.serve({"/t/answer": answer})
    ask = channel.unary_unary("/t/answer")
    answers = await asyncio.gather(*(ask(str(number).encode(), timeout=20) for number in range(500)))
    assert answers == [f"answer to {number}".encode() for number in range(500)]


async def test_errors_become_statuses_before_and_after_a_wait(bench, caplog):
    errors = {
        b"not found": (ModelNotFound("no such model"), grpc.StatusCode.NOT_FOUND, "no such model"),
        b"ended": (
            Ended(grpc.StatusCode.ABORTED, "of its own will"),
            grpc.StatusCode.ABORTED,
            "of its own will",
        ),
        b"fault": (ZeroDivisionError("secret"), grpc.StatusCode.INTERNAL, None),
        b"umlaut": (ModelNotFound("schön 100 %"), grpc.StatusCode.NOT_FOUND, "schön 100 %"),
    }

    async def at_once(content, _):
        raise errors[content][0]

    async def later(content, _):
        await asyncio.sleep(0.001)
        raise errors[content][0]

    channel = await bench.serve({"/t/at_once": at_once, "/t/later": later})
    for method in ("/t/at_once", "/t/later"):
        for content, (_, code, text) in errors.items():
            error = await status_of(channel.unary_unary(method)(content, timeout=20))
            assert error.code() is code
            assert error.details() == text or (text is None and "secret" not in error.details())
    assert "ZeroDivisionError: secret" in caplog.text


async def test_a_full_queue_hints_when_to_come_again(bench):
    async def full(_, call):
        call.trailing = (("x-mine", "1"),)
        raise QueueFull("full")

    channel = await bench.serve({"/t/full": full})
    error = await status_of(channel.unary_unary("/t/full")(b"", timeout=20))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert list(error.trailing_metadata()) == [("grpc-retry-pushback-ms", "100"), ("x-mine", "1")]


async def test_a_method_that_is_not_there(bench):
    channel = await bench.serve({"/t/echo": echo})
    for method in ("/t/other", "/", "/t/echo/"):
        error = await status_of(channel.unary_unary(method)(b"x" * 100_000, timeout=20))
        assert error.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_request_without_a_message(bench):
    channel = await bench.serve({"/t/echo": echo})
    call = channel.stream_unary("/t/echo")(iter(()), timeout=20)
    assert (await status_of(call)).code() is grpc.StatusCode.UNIMPLEMENTED
    assert await channel.unary_unary("/t/echo")(b"still there", timeout=20) == b"still there"


async def test_handlers_see_who_asks_and_by_when(bench):
    async def tell(_, call):
        headers = dict(call.headers())
        remaining = call.time_remaining()
        left = "none" if remaining is None else "some" if 19 < remaining < 21 else "other"
        return f"{call.peer()[:15]} {headers['x-a']} {headers['x-b-bin'].hex()} {left}".encode()

    channel = await bench.serve({"/t/tell": tell})
    tell_me = channel.unary_unary("/t/tell")
    metadata = (("x-a", "1"), ("x-b-bin", b"\x00\xff"))
    assert await tell_me(b"", metadata=metadata, timeout=20) == b"ipv4:127.0.0.1: 1 00ff some"
    assert await tell_me(b"", metadata=metadata) == b"ipv4:127.0.0.1: 1 00ff none"


@pytest.mark.parametrize("burst", [1, 50])
async def test_a_client_that_gives_up_cancels_its_handler(bench, burst):
    cancelled = asyncio.Semaphore(0)

    async def wait(_, __):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.release()
            raise

    channel = await bench.serve({"/t/wait": wait, "/t/echo": echo})
    calls = [channel.unary_unary("/t/wait")(b"", timeout=20) for _ in range(burst)]
    while not all([await asyncio.wait_for(channel.unary_unary("/t/echo")(b"1"), 20) for _ in range(burst)]):
        pass
    for call in calls:
        call.cancel()
    for _ in range(burst):
        await cancelled.acquire()


async def test_a_deadline_that_passes_cancels_a_handler(bench):
    cancelled = asyncio.Event()

    async def wait(_, __):
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    channel = await bench.serve({"/t/wait": wait})
    error = await status_of(channel.unary_unary("/t/wait")(b"", timeout=0.05))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await cancelled.wait()


async def test_nothing_stays_of_requests_given_up_at_any_time(bench):
    begun = asyncio.Semaphore(0)
    ended = asyncio.Semaphore(0)

    async def wait(_, __):
        begun.release()
        try:
            await asyncio.sleep(0.002)
            return b""
        finally:
            ended.release()

    channel = await bench.serve({"/t/wait": wait, "/t/echo": echo})
    for number in range(300):
        call = channel.unary_unary("/t/wait")(b"x" * (number * 300))
        await asyncio.sleep(0.0001 * (number % 40))
        call.cancel()
    await begun.acquire()
    await ended.acquire()
    while not begun.locked():
        await begun.acquire()
        await ended.acquire()
    assert await channel.unary_unary("/t/echo")(b"still there", timeout=20) == b"still there"


async def test_a_conversation(bench):
    async def converse(stream):
        async for message in stream.messages():
            await stream.send(b"you said " + message)
        await stream.send(b"bye")
        stream.trailing = (("x-last", "word"),)

    channel = await bench.serve(streams={"/t/talk": converse})
    call = channel.stream_stream("/t/talk")(timeout=20)
    for number in range(50):
        await call.write(str(number).encode())
        assert await call.read() == f"you said {number}".encode()
    await call.done_writing()
    assert await call.read() == b"bye"
    assert await call.read() is grpc.aio.EOF
    assert ("x-last", "word") in list(await call.trailing_metadata())


async def test_a_conversation_that_the_server_ends(bench):
    async def refuse(stream):
        async for _ in stream.messages():
            raise Ended(grpc.StatusCode.FAILED_PRECONDITION, "enough")

    channel = await bench.serve(streams={"/t/talk": refuse})
    call = channel.stream_stream("/t/talk")(timeout=20)
    await call.write(b"hello")
    error = await status_of(call.read())
    assert (error.code(), error.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "enough")


async def test_a_conversation_that_the_client_leaves(bench):
    left = asyncio.Event()

    async def talk_on(stream):
        try:
            while True:
                await stream.send(b"x" * 100_000)
        finally:
            left.set()

    channel = await bench.serve(streams={"/t/talk": talk_on})
    call = channel.stream_stream("/t/talk")(timeout=20)
    await call.read()
    assert not left.is_set()
    call.cancel()
    await left.wait()


async def test_who_may_not_is_refused_whatever_the_method(bench):
    def admit(path, call):
        if ("x-key", "sesame") not in [tuple(each) for each in call.headers()]:
            raise Ended(grpc.StatusCode.UNAUTHENTICATED, path)

    channel = await bench.serve({"/t/echo": echo}, admit=admit)
    for method in ("/t/echo", "/t/other"):
        error = await status_of(channel.unary_unary(method)(b"", timeout=20))
        assert (error.code(), error.details()) == (grpc.StatusCode.UNAUTHENTICATED, method)
    assert await channel.unary_unary("/t/echo")(b"in", metadata=[("x-key", "sesame")], timeout=20) == b"in"


async def test_a_door_that_fails_stays_shut(bench, caplog):
    def admit(*_):
        raise OSError("the list of guests is gone")

    channel = await bench.serve({"/t/echo": echo}, admit=admit)
    error = await status_of(channel.unary_unary("/t/echo")(b"", timeout=20))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "guests" not in error.details()
    assert "the list of guests is gone" in caplog.text


async def test_a_stop_waits_for_what_is_under_way(bench):
    may_answer = asyncio.Event()

    async def wait(content, _):
        await may_answer.wait()
        return content

    channel = await bench.serve({"/t/wait": wait, "/t/echo": echo})
    call = channel.unary_unary("/t/wait")(b"patient", timeout=20)
    assert await channel.unary_unary("/t/echo")(b"1", timeout=20) == b"1"
    stopping = asyncio.create_task(channel.stop_server(20))
    await asyncio.sleep(0.05)
    assert not stopping.done()
    may_answer.set()
    assert await call == b"patient"
    await stopping


async def test_answers_that_are_read_slowly_are_waited_for(bench):
    async def talk(stream):
        for _ in range(100):  # more than the client's window becomes
            await stream.send(b"x" * 1_000_000)

    channel = await bench.serve({"/t/echo": echo}, {"/t/talk": talk})
    call = channel.stream_stream("/t/talk")(timeout=20)
    await call.read()
    assert await channel.unary_unary("/t/echo")(b"1", timeout=20) == b"1"
    flushed = asyncio.create_task(channel.server.flushed())
    await asyncio.sleep(0.1)
    assert not flushed.done()
    for _ in range(99):
        await call.read()
    await flushed
    assert await call.read() is grpc.aio.EOF
    await channel.server.flushed()


async def test_an_answer_whose_client_is_gone_is_not_waited_for(bench):
    async def talk(stream):
        while True:
            await stream.send(b"x" * 1_000_000)

    channel = await bench.serve(streams={"/t/talk": talk})
    call = channel.stream_stream("/t/talk")(timeout=20)
    await call.read()
    flushed = asyncio.create_task(channel.server.flushed())
    await asyncio.sleep(0.05)
    assert not flushed.done()
    call.cancel()
    await flushed


async def test_a_stop_cancels_what_takes_too_long(bench):
    async def wait(_, __):
        await asyncio.Event().wait()

    channel = await bench.serve({"/t/wait": wait, "/t/echo": echo}, {"/t/talk": lambda _: asyncio.sleep(60)})
    calls = [
        channel.unary_unary("/t/wait")(b"", timeout=20),
        channel.stream_stream("/t/talk")(timeout=20).read(),
    ]
    assert await channel.unary_unary("/t/echo")(b"1", timeout=20) == b"1"
    failed = asyncio.gather(*map(asyncio.ensure_future, calls), return_exceptions=True)
    await channel.stop_server(0.05)
    for error in await failed:
        assert isinstance(error, grpc.aio.AioRpcError | asyncio.CancelledError)


def test_another_loop_is_refused():
    async def build():
        Server({}, {}, options=())

    with pytest.raises(TypeError, match="CompletionLoop"):
        asyncio.run(build())
