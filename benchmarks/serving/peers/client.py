"""A Python client that is a process of its own, for what h2load cannot do.

python client.py PORT PATH MESSAGE MODE NUMBER SECONDS: MESSAGE is a file. MODE is `even` or `random`, an open
loop of NUMBER requests a second, or `unary` or `stream`, a closed loop of NUMBER requests in flight. Prints a
JSON object: kept or rate, p50_ms, p99_ms, failed. `kept` is the share of an open loop's requests that were
answered by the end, or soon after.
"""

import asyncio
import json
import random
import sys
import time
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio

WARM_UP_S = 1.0
SOON_S = 0.25
Unary = grpc.aio.UnaryUnaryMultiCallable
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Clock:
    """The answers' latencies, from the end of the warm-up on."""

    def __init__(self, seconds: float) -> None:
        self.begin = time.perf_counter() + WARM_UP_S
        self.end = self.begin + seconds
        self.latencies: list[float] = []
        self.late = 0
        self.failed = 0

    def note(self, due: float) -> float:
        """One answer to a request that was made, or due, then."""
        now = time.perf_counter()
        if self.begin <= due < self.end:
            self.latencies.append(now - due)
            self.late += now > self.end + SOON_S
        return now

    def figures(self, mode: str) -> dict[str, float]:
        """All there is to say."""
        ordered = sorted(self.latencies)
        if not ordered:
            sys.exit(f"no request was answered, {self.failed} were refused")
        p50, p99 = (1000 * ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.99))
        figures = {"p50_ms": p50, "p99_ms": p99, "failed": self.failed}
        if mode in ("even", "random"):
            return {"kept": 1 - (self.late + self.failed) / (len(ordered) + self.failed), **figures}
        return {"rate": len(ordered) / (self.end - self.begin), **figures}


async def open_loop(call: Unary, message: bytes, clock: Clock, gaps: list[float]) -> None:
    """Ask whenever a request is due, be the earlier ones answered or not."""
    asked = set()

    async def ask(due: float) -> None:
        try:
            await call(message)
        except grpc.aio.AioRpcError:
            clock.failed += 1  # a server that is asked for more than it can do may refuse
        else:
            clock.note(due)

    due, turn = time.perf_counter(), 0
    while due < clock.end:
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(ask(due))
        asked.add(task)
        task.add_done_callback(asked.discard)
        due, turn = due + gaps[turn % len(gaps)], turn + 1
        if due < time.perf_counter():
            await asyncio.sleep(0)  # late already: let answers in nevertheless
    await asyncio.wait_for(asyncio.gather(*asked), 60)


async def closed_loop(
    call: grpc.aio.UnaryUnaryMultiCallable, message: bytes, clock: Clock, number: int
) -> None:
    """Ask again as soon as there is an answer."""

    async def ask() -> None:
        now = time.perf_counter()
        while now < clock.end:
            await call(message)
            now = clock.note(now)

    await asyncio.gather(*(ask() for _ in range(number)))


async def stream(call: grpc.aio.StreamStreamMultiCallable, message: bytes, clock: Clock, number: int) -> None:
    """Send again as soon as there is an answer, all on one stream; the answers come in order."""
    free, sent = asyncio.Semaphore(number), deque()

    async def messages() -> AsyncIterator[bytes]:
        while time.perf_counter() < clock.end:
            await free.acquire()
            sent.append(time.perf_counter())
            yield message

    async for _ in call(messages()):
        clock.note(sent.popleft())
        free.release()


async def main() -> None:
    port, path, file, mode, number, seconds = sys.argv[1:]
    message = await asyncio.to_thread(Path(file).read_bytes)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS) as channel:
        await channel.channel_ready()
        clock = Clock(float(seconds))
        match mode:
            case "even":
                await open_loop(channel.unary_unary(path), message, clock, [1 / float(number)])
            case "random":
                draw = random.Random(5)  # noqa: S311
                gaps = [draw.expovariate(float(number)) for _ in range(100_003)]
                await open_loop(channel.unary_unary(path), message, clock, gaps)
            case "unary":
                await closed_loop(channel.unary_unary(path), message, clock, int(number))
            case "stream":
                await stream(channel.stream_stream(path), message, clock, int(number))
    print(json.dumps(clock.figures(mode)))


asyncio.run(main())
