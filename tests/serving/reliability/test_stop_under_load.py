"""SIGTERM at random moments under load: whatever was accepted is answered."""

import asyncio
import itertools
import signal

import numpy as np
import pytest
from grpc import StatusCode

STOPS = 20
ASKERS = 32
# What a connection says that was cut under a request which the server had taken in.
CUT = ("Socket closed", "Stream removed", "Connection reset", "GOAWAY")


@pytest.mark.slow
async def test_stops_under_load_cut_nobody_off(tmp_path, publish_classifier, start_server, crowd_of, report):
    publish_classifier(tmp_path, idle_turns=4000)  # about 3 ms a run
    random = np.random.default_rng(13)
    answered = refused = 0
    for stop in range(STOPS):
        server = start_server(tmp_path, "--max-batch", 4, "--workers", 2)
        async with crowd_of(server) as crowd:
            askers = [asyncio.create_task(asked_until_refused(crowd, asker)) for asker in range(ASKERS)]
            await asyncio.sleep(random.uniform(0.05, 0.3))
            accepted = [
                asyncio.create_task(crowd.ask(1_000_000 * (stop + 1) + number, 1 + number % 4))
                for number in range(ASKERS)
            ]
            await crowd.arrived()
            server.process.send_signal(signal.SIGTERM)
            assert [reply for reply in await asyncio.gather(*accepted) if not reply.answered] == []
            replies = list(itertools.chain.from_iterable(await asyncio.gather(*askers)))
        assert await asyncio.to_thread(server.process.wait, 30) == 0
        refusals = [reply for reply in replies if not reply.answered]
        assert len(refusals) == ASKERS
        for refusal in refusals:
            assert refusal.code is StatusCode.UNAVAILABLE, refusal
            assert not any(cut in refusal.text for cut in CUT), refusal
        assert len(server.log.read_text().splitlines()) == 1  # the ready line, no complaint
        answered += len(replies) - ASKERS + len(accepted)
        refused += ASKERS
    report(stops=STOPS, answered=answered, refused=refused)


async def asked_until_refused(crowd, asker):
    """Ask without a pause; the last reply is the first refusal."""
    replies = []
    turns = itertools.count(asker, ASKERS)
    while not replies or replies[-1].answered:
        replies.append(await crowd.ask(next(turns), 1 + asker % 4))
    return replies
