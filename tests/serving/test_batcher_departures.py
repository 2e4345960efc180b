"""Who leaves or expires: at every stage the place is free at once, and no neighbour is harmed."""

import asyncio

import numpy as np
import pytest

from serving.errors import Expired


def rows(task):
    return task.result().answer["y"][:, 0].tolist()


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


async def test_who_leaves_between_the_wake_up_and_the_run_is_not_run(bench_of):
    bench = await bench_of(max_batch_rows=2)
    feeds = [{"x": np.full((1, 1), value, np.float32)} for value in (1, 2, 3)]
    tasks = [asyncio.create_task(bench.batcher.submit(feed)) for feed in feeds]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await bench.settle()
    assert bench.model.batches == [[2, 3]]  # its row is free for the last one
    await bench.open()
    assert tasks[0].cancelled()
    assert (rows(tasks[1]), rows(tasks[2])) == ([-2], [-3])
    assert bench.batcher.waiting == 0


async def test_a_batch_that_all_have_left_is_not_run(bench_of):
    bench = await bench_of()
    feed = {"x": np.zeros((1, 1), np.float32)}
    tasks = [asyncio.create_task(bench.batcher.submit(feed)) for _ in range(3)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await bench.batcher.drained()
    assert bench.model.batches == []
    assert (bench.batcher.waiting, bench.batcher.waiting_bytes) == (0, 0)


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


async def test_a_deadline_is_kept_while_the_model_is_busy(bench_of):
    bench = await bench_of(max_queue=2)
    await bench.submit(1)
    late, later = await bench.submit(2, deadline=2.0), await bench.submit(3, deadline=1.0)
    await bench.advance(1.0)
    with pytest.raises(Expired, match="in the queue"):
        later.result()
    assert (late.done(), bench.batcher.waiting, len(bench.clock.timers)) == (False, 1, 1)
    fine = await bench.submit(4)  # its place is free
    await bench.advance(1.0)
    with pytest.raises(Expired, match="in the queue"):
        late.result()
    await bench.open()
    assert bench.model.batches == [[1], [4]]
    await bench.open()
    assert rows(fine) == [-4]


async def test_a_later_deadline_is_kept_after_all_have_passed(bench_of):
    bench = await bench_of()
    await bench.submit(1)
    for deadline in (1.0, 2.0):
        task = await bench.submit(2, deadline=deadline)
        await bench.advance(1.0)
        with pytest.raises(Expired, match="in the queue"):
            task.result()
    assert bench.clock.timers == []
    await bench.open()


async def test_an_expired_item_takes_no_rows_though_its_timer_be_late(bench_of):
    bench = await bench_of(max_batch_rows=2)
    await bench.submit(1)
    late = await bench.submit(2, 2, deadline=1.0)
    fine = [await bench.submit(value) for value in (3, 4)]
    bench.clock.now = 1.0  # no timer fires
    await bench.open()
    assert bench.model.batches == [[1], [3, 4]]
    with pytest.raises(Expired, match="in the queue"):
        late.result()
    await bench.open()
    assert [rows(task) for task in fine] == [[-3], [-4]]


async def test_a_deadline_that_passes_during_the_run_changes_nothing(bench_of):
    bench = await bench_of()
    task = await bench.submit(1, deadline=1.0)
    await bench.advance(2.0)
    await bench.open()
    assert rows(task) == [-1]


async def test_who_would_expire_in_the_delay_does_not_wait_for_others(bench_of):
    bench = await bench_of(max_batch_rows=4, max_delay_ms=10)
    await bench.submit(1, deadline=1.0)
    assert bench.model.batches == []
    await bench.submit(2, deadline=0.01)
    assert bench.model.batches == [[1, 2]]
    await bench.open()


async def test_the_soonest_timeout_counts_and_the_default_is_one(bench_of):
    bench = await bench_of(default_timeout_ms=500)
    await bench.advance(10.0)
    deadline_of = bench.batcher.deadline_of
    assert (deadline_of(), deadline_of(None, None)) == (10.5, 10.5)
    assert (deadline_of(0.25, None, 0.125), deadline_of(3.0)) == (10.125, 10.5)
    assert deadline_of(-1.0) == 9.0  # passed already


async def test_without_any_timeout_there_is_no_deadline(bench_of):
    bench = await bench_of()
    assert bench.batcher.deadline_of(None) is None
    assert bench.batcher.deadline_of(2.0, None) == 2.0
