"""Thousands of random items, of which many leave: every survivor gets its own rows."""

import asyncio
import collections

import numpy as np
import pytest

from serving.errors import Expired

ITEMS = 2000


def random_items(generator):
    """Items of unique rows in permuted order, of two shapes and dtypes; one in a hundred is refused."""
    counts = generator.integers(1, 9, ITEMS)
    starts = np.cumsum(counts)
    for index in generator.permutation(ITEMS):
        sign = -1 if generator.random() < 0.01 else 1
        values = sign * np.arange(starts[index], starts[index] + counts[index])
        width, dtype = 1 + generator.integers(2), (np.float32, np.int64)[generator.integers(2)]
        yield np.tile(values[:, None], (1, width)).astype(dtype)


@pytest.mark.parametrize("sessions", [1, 3])
async def test_every_survivor_of_random_departures_gets_its_own_rows(bench_of, sessions):
    generator = np.random.default_rng(sessions)
    bench = await bench_of(
        max_batch_rows=16,
        max_queue=ITEMS,
        sessions=sessions,
        padding_buckets=(4, 16),
        priority_levels=3,
        default_priority=2,
    )
    left, tasks = set(), []
    for feed in random_items(generator):
        deadline = bench.clock.now + generator.uniform(0, 5) if generator.random() < 0.2 else None
        submitted = bench.batcher.submit({"x": feed}, deadline, priority=int(generator.integers(5)))
        tasks.append((feed, asyncio.create_task(submitted)))
        if generator.random() < 0.5:
            await asyncio.sleep(0)
        if generator.random() < 0.3:
            leaving = tasks[generator.integers(max(0, len(tasks) - 50), len(tasks))][1]
            if leaving.cancel():
                left.add(leaving)
        if bench.model.running and generator.random() < 0.3:
            bench.clock.advance(0.25)
            await bench.open()
    await bench.model.open_all()
    await bench.batcher.drained()

    assert {task for _, task in tasks if task.cancelled()} == left
    ends = collections.Counter({"left": len(left)})
    for feed, task in tasks:
        if task in left:
            continue
        error = task.exception()
        ends[type(error).__name__] += 1
        if isinstance(error, ValueError):
            assert feed.min() < 0
        elif not isinstance(error, Expired):
            answer = task.result().answer["y"]
            assert answer.dtype == feed.dtype
            assert answer.tolist() == (-feed).tolist()
    assert ends.keys() == {"left", "Expired", "ValueError", "NoneType"}
    assert min(ends.values()) > 5  # each end was tried
    assert {len(batch) for batch in bench.model.batches} == {4, 16}
    assert (bench.batcher.waiting, bench.batcher.waiting_bytes) == (0, 0)
