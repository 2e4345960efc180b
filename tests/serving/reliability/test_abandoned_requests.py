"""Clients that cancel or time out at random moments harm nobody else and leave nothing behind."""

import asyncio
import collections
import re
import statistics
from urllib.request import urlopen

import numpy as np
import pytest
from grpc import StatusCode

QUEUE = 64
ASKERS = QUEUE // 2  # nobody is shed, though the server learns of a cancellation only after its client
KINDS = ("stays", "cancels", "times out")
SHARES = (0.7, 0.15, 0.15)


@pytest.mark.parametrize("requests", [200, pytest.param(6_000, marks=pytest.mark.slow)])
async def test_abandoned_requests_harm_nobody(
    tmp_path, publish_classifier, start_server, crowd_of, report, requests
):
    publish_classifier(tmp_path, idle_turns=4000)  # about 3 ms a run
    server = start_server(tmp_path, "--max-queue", QUEUE, "--max-batch", 4)
    random = np.random.default_rng(12)
    kinds = random.choice(KINDS, requests, p=SHARES)
    turns = asyncio.Semaphore(ASKERS)
    waits = collections.deque(maxlen=ASKERS)  # of those who stayed lately
    async with crowd_of(server) as crowd:

        async def behave(number, kind, share):
            async with turns:
                if kind == "cancels":
                    return await asked_until_cancelled(crowd, number, share * statistics.median(waits))
                if kind == "times out":
                    patience = share * statistics.median(waits)
                    return await crowd.ask(number, 1 + number % 4, patience_s=patience)
                reply = await crowd.ask(number, 1 + number % 4)
                waits.append(reply.seconds)
                return reply

        await asyncio.gather(*(behave(number, "stays", 0) for number in range(2 * ASKERS)))
        # Who is impatient may give up at any moment of a request's life, and sometimes only after it.
        shares = random.uniform(0, 1.2, requests)
        replies = await asyncio.gather(*map(behave, range(requests), kinds, shares))
        abandoned = [reply for reply in replies if reply is None or not reply.answered]
        for reply, kind in zip(replies, kinds, strict=True):
            if kind == "stays":
                assert reply.answered, reply
            elif kind == "times out":
                assert reply.answered or reply.code is StatusCode.DEADLINE_EXCEEDED, reply
            else:
                assert reply is None or reply.answered, reply
        assert len(abandoned) > requests * 0.1  # else too few gave up in time to show anything
        assert await asyncio.to_thread(pending, server) == 0
        await check_that_nobody_waits(crowd)
    report(requests=requests, abandoned=len(abandoned), usual_s=statistics.median(waits))


async def asked_until_cancelled(crowd, number, patience):
    asking = asyncio.create_task(crowd.ask(number, 1 + number % 4))
    await asyncio.wait([asking], timeout=patience)
    asking.cancel()
    await asyncio.wait([asking])
    return None if asking.cancelled() else asking.result()


def pending(server):
    """What the server's metrics say of its queue."""
    with urlopen(server.metrics_url, timeout=60) as answer:  # noqa: S310  (our own server)
        found = re.search(
            rb'^nv_inference_pending_request_count\{.*"digits".*\} (\S+)$', answer.read(), re.MULTILINE
        )
    return float(found[1])


async def check_that_nobody_waits(crowd):
    """As many as may wait are taken in, twice; of many more some are not, so the queue has its limit."""
    for first in (1_000_000, 2_000_000):
        numbers = range(first, first + QUEUE)
        replies = await asyncio.gather(*(crowd.ask(number) for number in numbers))
        assert [reply for reply in replies if not reply.answered] == []
    replies = await asyncio.gather(*(crowd.ask(number) for number in range(3_000_000, 3_000_000 + 8 * QUEUE)))
    refusals = {reply.code for reply in replies if not reply.answered}
    assert refusals == {StatusCode.RESOURCE_EXHAUSTED}
