"""The batcher, stepped: exact batches, exact order, no neighbour harmed."""

import asyncio

import numpy as np
import pytest

from serving.batcher import Batcher
from serving.errors import Expired, QueueFull
from serving.running import AtOnce
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


async def test_batches_are_formed_up_to_their_rows_and_a_larger_request_runs_alone(bench_of):
    bench = await bench_of(max_batch_rows=8, batch_rows=3)
    await bench.submit(0)
    tasks = [await bench.submit(*item) for item in ((1,), (2,), (3, 4, 5, 6, 7), (8,), (9,))]
    await bench.model.open_all()
    assert bench.model.batches == [[0], [1, 2], [3, 4, 5, 6, 7], [8, 9]]
    assert rows(tasks[2]) == [-3, -4, -5, -6, -7]


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


async def test_different_dtypes_never_share_a_batch(bench_of):
    bench = await bench_of(max_batch_rows=8)
    await bench.submit(0)
    dtypes = (np.float32, np.float64, np.int64, np.float32)
    tasks = [await bench.submit(value, dtype=dtype) for value, dtype in enumerate(dtypes, 1)]
    await bench.open()
    assert bench.model.batches == [[0], [1, 4]]
    await bench.model.open_all()
    assert bench.model.batches == [[0], [1, 4], [2], [3]]
    assert [task.result().answer["y"].dtype for task in tasks] == list(dtypes)


async def test_inputs_join_by_name_whatever_their_order():
    fed = []

    async def run(feed):
        fed.append(feed)
        return {"y": feed["a"] - feed["b"]}

    one, two = (np.full((rows, 3), rows, np.float32) for rows in (1, 2))
    async with Batcher([run], ModelSettings()) as batcher, asyncio.TaskGroup() as group:
        first = group.create_task(batcher.submit({"a": one, "b": 2 * one}))
        second = group.create_task(batcher.submit({"b": 5 * two, "a": two}))
    assert [len(feed["a"]) for feed in fed] == [3]
    assert first.result().answer["y"].tolist() == [[-1] * 3]
    assert second.result().answer["y"].tolist() == [[-8] * 3] * 2


async def test_other_inputs_never_share_a_batch():
    fed = []

    async def run(feed):
        fed.append(sorted(feed))
        return dict(feed)

    rows = np.ones((1, 2), np.float32)
    async with Batcher([run], ModelSettings()) as batcher, asyncio.TaskGroup() as group:
        for names in ("ab", "a", "abc", "ab", "a"):
            group.create_task(batcher.submit(dict.fromkeys(names, rows)))
    assert fed == [["a", "b"], ["a"], ["a", "b", "c"]]


async def test_one_that_runs_alone_is_not_copied():
    async def run(feed):
        return {"y": feed["x"]}

    rows = np.ones((2, 2), np.float32)
    async with Batcher([run], ModelSettings()) as batcher:
        assert (await batcher.submit({"x": rows})).answer["y"] is rows


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
    bench = await bench_of(batch_rows=3, max_delay_ms=10)
    await bench.submit(1)
    await bench.submit(2, 3)
    assert bench.model.batches == [[1, 2, 3]]
    assert bench.clock.timers == []
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


async def test_whoever_leaves_or_expires_while_the_others_of_a_failed_batch_run_does_not_run(bench_of):
    bench = await bench_of(max_batch_rows=8)
    await bench.submit(0)
    first, bad = await bench.submit(1), await bench.submit(-2)
    left, late, last = await bench.submit(3), await bench.submit(4, deadline=1.0), await bench.submit(5)
    await bench.open()
    await bench.open()
    assert bench.model.batches == [[0], [1, -2, 3, 4, 5], [1]]
    await bench.cancel(left)
    await bench.advance(1.0)
    await bench.model.open_all()
    assert bench.model.batches[2:] == [[1], [-2], [5]]
    assert (rows(first), rows(last)) == ([-1], [-5])
    with pytest.raises(ValueError, match="a negative row"):
        bad.result()
    with pytest.raises(Expired, match="in the queue"):
        late.result()
    assert [run.rows for run in bench.observed] == [1, 1, 1]


async def test_an_answer_with_another_number_of_rows_reaches_nobody():
    async def run(feed):
        return {"y": np.zeros(len(feed["x"]) + 1)}

    feed = {"x": np.zeros((2, 1))}
    async with Batcher([run], ModelSettings()) as batcher:
        both = await asyncio.gather(batcher.submit(feed), batcher.submit(feed), return_exceptions=True)
    assert [str(error) for error in both] == ["a batch of 2 rows was answered with 3 rows of y"] * 2


def negative(feed):
    if (feed["x"] < 0).any():
        raise ValueError("a negative row")
    return {"y": -feed["x"]}


async def test_a_small_feed_runs_at_once_while_nobody_waits(bench_of):
    bench = await bench_of(max_batch_rows=4, at_once=AtOnce(run=negative, max_rows=2))
    assert rows(await bench.submit(1, 2)) == [-1, -2]
    assert bench.model.batches == []
    running = await bench.submit(1, 2, 3)  # too large
    waiting = await bench.submit(4, 5, 6)
    behind = await bench.submit(7)  # whoever waits comes first
    await bench.open()
    await bench.open()
    assert bench.model.batches == [[1, 2, 3], [4, 5, 6, 7]]
    assert [rows(task) for task in (running, waiting, behind)] == [[-1, -2, -3], [-4, -5, -6], [-7]]


async def test_what_runs_at_once_is_padded_and_observed_and_may_fail(bench_of):
    sizes = []

    def run(feed):
        sizes.append(len(feed["x"]))
        return negative(feed)

    at_once = AtOnce(run=run, max_rows=4)
    bench = await bench_of(padding_buckets=(4, 8), at_once=at_once)
    assert rows(await bench.submit(5)) == [-5]
    assert (sizes, [each.rows for each in bench.observed]) == ([4], [1])
    failed = await bench.submit(-1)
    with pytest.raises(ValueError, match="a negative row"):
        failed.result()
    late = await bench.submit(1, deadline=bench.clock.time())
    with pytest.raises(Expired):
        late.result()


async def test_nothing_runs_at_once_where_batches_are_waited_for(bench_of):
    bench = await bench_of(max_delay_ms=5, at_once=AtOnce(run=negative, max_rows=2))
    task = await bench.submit(1)
    assert not task.done()
    await bench.advance(0.006)
    await bench.open()
    assert bench.model.batches == [[1]]
    assert rows(task) == [-1]
