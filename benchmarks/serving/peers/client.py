"""A Python client that is a process of its own: closed loops by grpcio, over unary calls or a stream.

python client.py PORT PATH MESSAGE WAY NUMBER WARM_UP SECONDS: MESSAGE is a file, WAY `unary` or `stream`,
NUMBER the requests in flight. Prints a JSON object: rate, p50_ms, p99_ms.
"""

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio

OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


class Clock:
    """The answers' latencies, from the end of the warm-up on.

    The rate is that from the last answer of the warm-up to the last one of all: a server that answers many at
    once is counted in whole batches.
    """

    def __init__(self, warm_up_s: float, seconds: float) -> None:
        self._since = self._last = time.perf_counter()
        self._begin = self._since + warm_up_s
        self.end = self._begin + seconds
        self._latencies: list[float] = []

    def note(self, asked: float) -> float:
        """One answer to a request that was made then."""
        now = time.perf_counter()
        if now <= self._begin:
            self._since = now
        elif now <= self.end:
            self._latencies.append(now - asked)
            self._last = now
        return now

    def figures(self) -> dict[str, float]:
        """All there is to say."""
        ordered = sorted(self._latencies)
        if not ordered:
            sys.exit("no request was answered")
        p50, p99 = (1000 * ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.99))
        return {"rate": len(ordered) / (self._last - self._since), "p50_ms": p50, "p99_ms": p99}


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
    port, path, file, way, number, warm_up_s, seconds = sys.argv[1:]
    message = await asyncio.to_thread(Path(file).read_bytes)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS) as channel:
        await channel.channel_ready()
        clock = Clock(float(warm_up_s), float(seconds))
        match way:
            case "unary":
                await closed_loop(channel.unary_unary(path), message, clock, int(number))
            case "stream":
                await stream(channel.stream_stream(path), message, clock, int(number))
    print(json.dumps(clock.figures()))


asyncio.run(main())
