"""Twice the load that a server can take: waits stay bounded, the rest is shed, and it recovers."""

import asyncio
import itertools
import time

import numpy as np
import pytest
from grpc import StatusCode

QUEUE = 64
MEASURE_S = 10
OVERLOAD_S = 60
POOL = 256


@pytest.mark.slow
async def test_twice_the_capacity_sheds_and_keeps_waits_bounded(
    tmp_path, publish_classifier, start_server, crowd_of, report, quantile
):
    # About 3 ms a run, of one request each: the model is what sets the capacity, not gRPC.
    publish_classifier(tmp_path, idle_turns=4000)
    server = start_server(tmp_path, "--max-queue", QUEUE, "--max-batch", 1)
    async with crowd_of(server) as crowd:
        storm = Storm(crowd)
        full = await asyncio.gather(*storm.closed_loop(QUEUE // 2, MEASURE_S))
        capacity = rate(list(itertools.chain.from_iterable(full)))
        calm = await asyncio.gather(*await storm.open_loop(capacity / 2, MEASURE_S))
        asking = await storm.open_loop(2 * capacity, OVERLOAD_S)
        ended = time.monotonic()
        # The first moments meet the queue that the storm has left.
        after = list(itertools.chain.from_iterable(await asyncio.gather(*storm.closed_loop(2, MEASURE_S))))
        stormy = await asyncio.gather(*asking)
        for reply in (*stormy, *after):
            crowd.checked(reply, reply.number % POOL)
    answered = [reply for reply in stormy if reply.answered]
    calm_p99 = quantile([reply for reply in calm if reply.answered], 0.99)
    late = [reply.ended - ended for reply in after if not reply.answered or reply.seconds > 3 * calm_p99]
    throughput = rate(answered)
    bound = QUEUE / throughput + 3 * calm_p99
    report(
        capacity=capacity,
        calm_shed=sum(not reply.answered for reply in calm),
        calm_p50_ms=1e3 * quantile(calm, 0.5),
        calm_p99_ms=1e3 * calm_p99,
        offered=len(stormy) / OVERLOAD_S,
        throughput=throughput,
        shed=len(stormy) - len(answered),
        p99_ms=1e3 * quantile(answered, 0.99),
        bound_ms=1e3 * bound,
        recovery_s=min(max(late, default=0.0), MEASURE_S),
    )
    assert {reply.code for reply in stormy} == {StatusCode.OK, StatusCode.RESOURCE_EXHAUSTED}
    assert quantile(answered, 0.99) <= bound
    over = max(reply.ended for reply in stormy)
    recovered = [reply for reply in after if reply.started > over]
    assert recovered
    assert all(reply.answered for reply in recovered)


class Storm:
    """Requests that cost the tests little while they go on, for client and server share the machine."""

    def __init__(self, crowd):
        self._crowd = crowd
        self._contents = [crowd.message(number, 1, "digits") for number in range(POOL)]
        self._numbers = itertools.count()

    async def ask(self):
        number = next(self._numbers)
        return await self._crowd.send(number, self._contents[number % POOL])

    def closed_loop(self, askers, seconds):
        """Ask all the time, each asker again as soon as its reply is there."""
        until = time.monotonic() + seconds

        async def ask_on():
            replies = []
            while time.monotonic() < until:
                replies.append(await self.ask())
            return replies

        return [ask_on() for _ in range(askers)]

    async def open_loop(self, requests_per_second, seconds):
        """Ask at random moments, whether or not answers come; return what is asking."""
        random = np.random.default_rng(14)
        started = time.monotonic()
        due = 0.0
        asking = []
        while due < seconds:
            await asyncio.sleep(started + due - time.monotonic())
            asking.append(asyncio.create_task(self.ask()))
            due += random.exponential(1 / requests_per_second)
        return asking


def rate(replies):
    """Answers a second."""
    seconds = max(reply.ended for reply in replies) - min(reply.started for reply in replies)
    return sum(reply.answered for reply in replies) / seconds
