"""Every one of many concurrent requests gets the answer to its own rows, once."""

import asyncio
import time

import numpy as np
import pytest

STREAMS = 16


async def test_each_of_many_concurrent_requests_gets_its_own_rows(digits_server, crowd_of, report):
    await ask_at_once(digits_server, crowd_of, report, 600)


@pytest.mark.slow
async def test_each_of_ten_thousand_concurrent_requests_gets_its_own_rows(
    tmp_path, publish_classifier, start_server, crowd_of, report
):
    # Long enough a run for others to queue, so that most batches are shared.
    publish_classifier(tmp_path, idle_turns=2000)
    server = start_server(tmp_path, "--max-queue", 10_000, "--max-queue-mib", 1024)
    await ask_at_once(server, crowd_of, report, 10_000)


async def ask_at_once(server, crowd_of, report, requests):
    random = np.random.default_rng(11)
    numbers = random.permutation(requests).tolist()
    rows = random.integers(1, 65, requests).tolist()
    async with crowd_of(server, connections=16) as crowd:
        started = time.monotonic()
        replies = await asyncio.gather(*(crowd.ask(number, rows[number]) for number in numbers))
        seconds = time.monotonic() - started
    assert [reply for reply in replies if not reply.answered] == []
    assert sorted(reply.number for reply in replies) == list(range(requests))
    report(requests=requests, rows=sum(rows), rows_per_second=sum(rows) / seconds)


@pytest.mark.parametrize("requests", [400, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_streams_answer_each_request_once_and_in_its_turn(digits_server, crowd_of, report, requests):
    random = np.random.default_rng(15)
    numbers = random.permutation(requests)
    rows = random.integers(1, 65, requests).tolist()
    async with crowd_of(digits_server, connections=4) as crowd:
        streams = [crowd.stream(part.tolist(), rows) for part in np.array_split(numbers, STREAMS)]
        started = time.monotonic()
        answered = sum(await asyncio.gather(*streams))
        seconds = time.monotonic() - started
    assert answered == requests
    report(requests=requests, rows_per_second=sum(rows) / seconds)


def test_rows_of_others_would_be_noticed(classifier):
    """The control: no two rows' answers are within the tolerance, so a mixed-up one could not pass."""
    rows = np.random.default_rng(0).integers(0, 255, (512, 28, 28, 1), dtype=np.uint8)
    logits = classifier.expected(rows)["logits"]
    distances = np.abs(logits[:, None] - logits).max(axis=2)
    assert distances[~np.eye(len(rows), dtype=bool)].min() > 0.05
