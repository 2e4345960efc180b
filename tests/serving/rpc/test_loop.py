"""The loop that waits in gRPC's core does all that an event loop does."""

import asyncio
import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from serving.rpc.loop import CompletionLoop


async def test_timers_are_on_time_and_in_order():
    loop = asyncio.get_running_loop()
    rung = []
    for delay in (0.06, 0.02, 0.04):
        loop.call_later(delay, rung.append, delay)
    began = loop.time()
    await asyncio.sleep(0.08)
    assert rung == [0.02, 0.04, 0.06]
    assert loop.time() - began >= 0.08


async def test_callbacks_run_in_their_order():
    loop = asyncio.get_running_loop()
    order = []
    for number in range(200):
        loop.call_soon(order.append, number)
    await asyncio.sleep(0)
    assert order == list(range(200))


async def test_threads_wake_it():
    loop = asyncio.get_running_loop()
    woken = asyncio.Queue()

    def work(number):
        for each in range(100):
            loop.call_soon_threadsafe(woken.put_nowait, (number, each))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    came = [await asyncio.wait_for(woken.get(), 10) for _ in range(400)]
    for thread in threads:
        thread.join()
    for number in range(4):
        assert [each for by, each in came if by == number] == list(range(100))


async def test_work_in_threads_comes_back():
    results = await asyncio.gather(*(asyncio.to_thread(pow, 3, number) for number in range(50)))
    assert results == [3**number for number in range(50)]


async def test_signals_reach_it_while_it_waits():
    loop = asyncio.get_running_loop()
    came = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, came.set)
    try:
        loop.call_later(0.01, os.kill, os.getpid(), signal.SIGUSR1)
        await asyncio.wait_for(came.wait(), 10)
    finally:
        loop.remove_signal_handler(signal.SIGUSR1)


async def test_many_connections_talk_side_by_side():
    async def echo(reader, writer):
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    async def talk(number):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for each in range(20):
            line = f"{number} {each} {'x' * 1000}\n".encode()
            writer.write(line)
            assert await reader.readline() == line
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        await asyncio.wait_for(asyncio.gather(*map(talk, range(50))), 20)


async def test_a_file_that_stays_ready_starves_nobody():
    loop = asyncio.get_running_loop()
    here, there = socket.socketpair()
    here.setblocking(False)
    looked = 0

    def look():
        nonlocal looked
        looked += 1

    loop.add_reader(here, look)
    there.send(b"never read")
    for _ in range(20):
        await asyncio.sleep(0.001)
        assert await asyncio.to_thread(lambda: 1) == 1
    loop.remove_reader(here)
    before = looked
    assert before >= 20
    await asyncio.sleep(0.02)
    assert looked == before
    here.close()
    there.close()


def test_loops_end_without_a_trace():
    def traces():
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    def run():
        with asyncio.Runner(loop_factory=CompletionLoop) as runner:
            assert runner.run(asyncio.sleep(0, "done")) == "done"

    run()
    before = traces()
    for _ in range(5):
        run()
    assert traces() == before


def test_an_interrupted_run_ends_it_too():
    async def fail():
        raise KeyError("planted")

    with asyncio.Runner(loop_factory=CompletionLoop) as runner, pytest.raises(KeyError, match="planted"):
        runner.run(fail())
