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


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 4])
async def test_twice_the_capacity_sheds_and_keeps_waits_bounded(
    tmp_path, publish_classifier, start_server, crowd_of, report, quantile, batch
):
    publish_classifier(tmp_path, idle_turns=4000)  # about 3 ms a run
    server = start_server(tmp_path, "--max-queue", QUEUE, "--max-batch", batch)
    async with crowd_of(server) as crowd:
        full = await asyncio.gather(*closed_loop(crowd, QUEUE // 2, MEASURE_S))
        capacity = rate(list(itertools.chain.from_iterable(full)))
        calm = await asyncio.gather(*await open_loop(crowd, capacity / 2, MEASURE_S))
        asking = await open_loop(crowd, 2 * capacity, OVERLOAD_S)
        ended = time.monotonic()
        # The first moments meet the queue that the storm has left.
        after = list(itertools.chain.from_iterable(await asyncio.gather(*closed_loop(crowd, 2, MEASURE_S))))
        stormy = await asyncio.gather(*asking)
    answered = [reply for reply in stormy if reply.answered]
    calm_p99 = quantile([reply for reply in calm if reply.answered], 0.99)
    late = [reply.ended - ended for reply in after if not reply.answered or reply.seconds > 3 * calm_p99]
    throughput = rate(answered)
    bound = QUEUE / throughput + 3 * calm_p99
    report(
        batch=batch,
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


numbers = itertools.count()


def rate(replies):
    """Answers a second."""
    seconds = max(reply.ended for reply in replies) - min(reply.started for reply in replies)
    return sum(reply.answered for reply in replies) / seconds


def closed_loop(crowd, askers, seconds):
    """Ask all the time, each asker again as soon as its reply is there."""
    until = time.monotonic() + seconds

    async def ask_on():
        replies = []
        while time.monotonic() < until:
            replies.append(await crowd.ask(next(numbers)))
        return replies

    return [ask_on() for _ in range(askers)]


async def open_loop(crowd, requests_per_second, seconds):
    """Ask at random moments, whether or not answers come; return what is asking."""
    random = np.random.default_rng(14)
    started = time.monotonic()
    due = 0.0
    asking = []
    while due < seconds:
        await asyncio.sleep(started + due - time.monotonic())
        asking.append(asyncio.create_task(crowd.ask(next(numbers))))
        due += random.exponential(1 / requests_per_second)
    return asking
