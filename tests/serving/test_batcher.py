"""The batcher, stepped: exact batches, exact order, no neighbour harmed."""

import asyncio

import numpy as np
import pytest

from serving.errors import Expired, QueueFull
from serving.settings import ModelSettings


def rows(task):
    return task.result().answer["y"][:, 0].tolist()


async def test_what_queues_during_a_run_makes_the_next_batch(bench_of):
    bench = await bench_of(max_batch_rows=4)
    tasks = [await bench.submit(value) for value in range(1, 7)]
    assert bench.model.batches == [[1]]
    await bench.open()
    assert bench.model.batches == [[1], [2, 3, 4, 5]]
    await bench.open()
    assert bench.model.batches == [[1], [2, 3, 4, 5], [6]]
    await bench.open()
    assert [rows(task) for task in tasks] == [[-1], [-2], [-3], [-4], [-5], [-6]]


async def test_each_submitter_gets_its_own_rows(bench_of):
    bench = await bench_of(max_batch_rows=16)
    first = await bench.submit(0)
    items = [list(range(10 * count, 11 * count)) for count in (3, 1, 5, 2)]
    tasks = [await bench.submit(*item) for item in items]
    await bench.open()
    assert bench.model.batches[1:] == [[value for item in items for value in item]]
    await bench.open()
    assert [rows(task) for task in tasks] == [[-value for value in item] for item in items]
    assert first.done()


async def test_a_batch_never_exceeds_its_rows_and_keeps_the_order(bench_of):
    bench = await bench_of(max_batch_rows=4)
    await bench.submit(0)
    for item in ((1, 1, 1), (2, 2), (3,)):
        await bench.submit(*item)
    await bench.open()
    await bench.open()
    # The single row would have fitted beside the first three, but must not overtake the two before it.
    assert bench.model.batches == [[0], [1, 1, 1], [2, 2, 3]]
    await bench.open()


async def test_different_shapes_never_share_a_batch(bench_of):
    bench = await bench_of(max_batch_rows=8)
    await bench.submit(0)
    tasks = [await bench.submit(value, width=1 + value % 2) for value in (1, 2, 3, 4)]
    await bench.open()
    await bench.open()
    assert bench.model.batches == [[0], [1, 3], [2, 4]]
    await bench.open()
    assert [task.result().answer["y"].shape for task in tasks] == [(1, 2), (1, 1), (1, 2), (1, 1)]


async def test_an_idle_model_waits_for_the_delay(bench_of):
    bench = await bench_of(max_batch_rows=4, max_delay_ms=10)
    await bench.submit(1)
    await bench.advance(0.004)
    await bench.submit(2)
    assert bench.model.batches == []
    await bench.advance(0.005)
    assert bench.model.batches == []
    await bench.advance(0.001)
    assert bench.model.batches == [[1, 2]]
    await bench.open()
    assert bench.clock.timers == []


async def test_a_full_batch_does_not_wait(bench_of):
    bench = await bench_of(max_batch_rows=3, max_delay_ms=10)
    await bench.submit(1)
    await bench.submit(2, 3)
    assert bench.model.batches == [[1, 2, 3]]
    await bench.open()


async def test_a_full_queue_sheds(bench_of):
    bench = await bench_of(max_batch_rows=1, max_queue=2)
    tasks = [await bench.submit(value) for value in (1, 2, 3, 4)]
    with pytest.raises(QueueFull, match="2 requests wait already"):
        tasks[3].result()
    for _ in range(3):
        await bench.open()
    assert [rows(task) for task in tasks[:3]] == [[-1], [-2], [-3]]


MIB = 1024 * 1024


async def test_a_queue_that_holds_too_much_sheds(bench_of):
    bench = await bench_of(max_batch_rows=2, max_queue_mib=1)
    running, large = await bench.submit(1), await bench.submit(2, width=MIB // 2)
    with pytest.raises(QueueFull, match="1 requests wait already, 2,097,152 bytes"):
        (await bench.submit(3)).result()
    await bench.cancel(large)
    assert bench.batcher.waiting_bytes == 0
    wide, narrow = await bench.submit(4, width=MIB // 8), await bench.submit(5)
    assert bench.batcher.waiting_bytes == MIB // 2 + 4
    with pytest.raises(QueueFull, match="2 requests wait already"):
        (await bench.submit(6, width=MIB // 8)).result()
    await bench.open()
    assert bench.batcher.waiting_bytes == 4  # of the narrow one, which the wide one's batch passed over
    await bench.open()
    await bench.open()
    assert bench.batcher.waiting_bytes == 0
    assert [rows(task) for task in (running, wide, narrow)] == [[-1], [-4], [-5]]


async def test_what_submitters_hold_counts(bench_of):
    bench = await bench_of(max_queue_mib=1)
    feed = {"x": np.zeros((1, 1), np.float32)}
    async with asyncio.TaskGroup() as group:
        for held in (0, MIB - 10, 2):
            group.create_task(bench.batcher.submit(feed, held_bytes=held))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        with pytest.raises(QueueFull, match="1,048,576 bytes"):
            await bench.batcher.submit(feed, held_bytes=1)
        await bench.open()
        await bench.open()


async def test_cancelling_in_the_queue_frees_the_place_at_once(bench_of):
    bench = await bench_of(max_batch_rows=4, max_queue=2)
    await bench.submit(1)
    second, third = await bench.submit(2), await bench.submit(3)
    await bench.cancel(second)
    assert bench.batcher.waiting == 1
    fourth = await bench.submit(4)
    await bench.open()
    assert bench.model.batches == [[1], [3, 4]]
    await bench.open()
    assert (rows(third), rows(fourth)) == ([-3], [-4])


async def test_cancelling_during_a_run_leaves_the_neighbours_alone(bench_of):
    bench = await bench_of(max_batch_rows=4)
    await bench.submit(1)
    tasks = [await bench.submit(value) for value in (2, 3, 4)]
    await bench.open()
    await bench.cancel(tasks[1])
    await bench.open()
    assert (rows(tasks[0]), rows(tasks[2])) == ([-2], [-4])
    assert bench.batcher.waiting == 0


async def test_cancelling_while_it_waits_for_others(bench_of):
    bench = await bench_of(max_batch_rows=4, max_delay_ms=10)
    await bench.cancel(await bench.submit(1))
    second = await bench.submit(2)
    await bench.advance(0.01)
    assert bench.model.batches == [[2]]
    await bench.open()
    assert rows(second) == [-2]


async def test_a_passed_deadline_is_refused_at_admission(bench_of):
    bench = await bench_of()
    await bench.advance(5)
    with pytest.raises(Expired, match="before the request came"):
        (await bench.submit(1, deadline=5.0)).result()
    assert bench.model.batches == []


async def test_a_deadline_that_passes_in_the_queue_never_runs(bench_of):
    bench = await bench_of(max_batch_rows=4)
    await bench.submit(1)
    late, fine = await bench.submit(2, deadline=1.0), await bench.submit(3, deadline=1.5)
    await bench.advance(1.0)
    await bench.open()
    with pytest.raises(Expired, match="in the queue"):
        late.result()
    assert bench.model.batches == [[1], [3]]
    await bench.open()
    assert rows(fine) == [-3]


async def test_an_item_that_fails_fails_alone(bench_of):
    bench = await bench_of(max_batch_rows=4)
    await bench.submit(0)
    tasks = [await bench.submit(value) for value in (1, -2, 3)]
    for _ in range(5):
        await bench.open()
    assert bench.model.batches == [[0], [1, -2, 3], [1], [-2], [3]]
    assert (rows(tasks[0]), rows(tasks[2])) == ([-1], [-3])
    with pytest.raises(ValueError, match="a negative row"):
        tasks[1].result()
    after = await bench.submit(4)
    await bench.open()
    assert rows(after) == [-4]


async def test_leaving_cancels_whoever_waits(bench_of):
    bench = await bench_of(max_batch_rows=1)
    tasks = [await bench.submit(value) for value in (1, 2)]
    await bench.batcher.__aexit__(None, None, None)
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)


async def test_a_thousand_random_items_are_all_answered_rightly(bench_of):
    bench = await bench_of(max_batch_rows=32, max_queue=1000)
    counts = np.random.default_rng(1).integers(1, 9, 1000)
    starts = np.cumsum(counts)
    tasks = [
        asyncio.create_task(
            bench.batcher.submit({"x": np.arange(start, start + count, dtype=np.float32)[:, None]})
        )
        for start, count in zip(starts, counts, strict=True)
    ]
    await asyncio.sleep(0)
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        if bench.model.running:
            await bench.open()
    assert max(map(len, bench.model.batches)) <= 32
    for task, start, count in zip(tasks, starts, counts, strict=True):
        assert rows(task) == (-np.arange(start, start + count)).tolist()


def test_the_default_settings_and_all_buckets_up_to_the_rows_are_fine():
    assert ModelSettings(max_batch_rows=8, padding_buckets=(1, 8)).padding_buckets == (1, 8)
