"""Sessions side by side, what they tell of their runs, and how their work ends."""

import asyncio

import numpy as np
import pytest

from serving.batcher import Batcher
from serving.errors import Draining
from serving.settings import ModelSettings


def rows(task):
    return task.result().answer["y"][:, 0].tolist()


async def test_sessions_run_side_by_side(bench_of):
    bench = await bench_of(max_batch_rows=2, sessions=2)
    tasks = [await bench.submit(value) for value in range(1, 6)]
    assert bench.model.batches == [[1], [2]]
    await bench.open()
    assert bench.model.batches == [[1], [2], [3, 4]]
    await bench.open()
    assert bench.model.batches == [[1], [2], [3, 4], [5]]
    await bench.model.open_all()
    assert [rows(task) for task in tasks] == [[-1], [-2], [-3], [-4], [-5]]


async def test_what_one_batch_cannot_take_goes_to_the_next_idle_session(bench_of):
    bench = await bench_of(max_batch_rows=2, sessions=3)
    feeds = [{"x": np.full((1, 1), value, np.float32)} for value in range(1, 6)]
    tasks = [asyncio.create_task(bench.batcher.submit(feed)) for feed in feeds]
    await bench.settle()
    assert bench.model.batches == [[1, 2], [3, 4], [5]]
    await bench.model.open_all()
    assert [rows(task) for task in tasks] == [[-1], [-2], [-3], [-4], [-5]]


async def test_idle_sessions_wait_for_the_delay_together(bench_of):
    bench = await bench_of(max_batch_rows=4, max_delay_ms=10, sessions=2)
    await bench.submit(1)
    await bench.submit(2)
    await bench.advance(0.01)
    assert bench.model.batches == [[1, 2]]
    await bench.submit(3)
    await bench.advance(0.01)
    assert bench.model.batches == [[1, 2], [3]]
    await bench.model.open_all()
    assert bench.clock.timers == []


async def test_what_a_batch_leaves_waits_no_longer_than_its_own_delay(bench_of):
    bench = await bench_of(max_batch_rows=4, max_delay_ms=1000, sessions=2)
    await bench.submit(1, 1, 1)
    await bench.advance(0.25)
    await bench.submit(2, 2, 2)
    await bench.advance(0.75)
    assert bench.model.batches == [[1, 1, 1]]
    await bench.advance(0.25)
    assert bench.model.batches == [[1, 1, 1], [2, 2, 2]]
    await bench.model.open_all()


@pytest.mark.parametrize(
    ("settings", "runs"),
    [({"max_batch_rows": 1}, [[1], [-2], [3]]), ({}, [[1, -2, 3], [1], [-2], [3]])],
)
async def test_runs_on_the_event_loop_leave_it_to_others_in_between(settings, runs):
    told = []

    async def run(feed):
        told.append(feed["x"].tolist())
        if min(feed["x"]) < 0:
            raise ValueError("a negative row")
        return {"y": feed["x"]}

    async def submit(value):
        try:
            await batcher.submit({"x": np.array([value])})
        except ValueError as error:
            told.append(str(error))
        else:
            told.append(value)

    async with Batcher([run], ModelSettings(**settings)) as batcher:
        await asyncio.gather(*(submit(value) for value in (1, -2, 3)))
    assert [each for each in told if isinstance(each, list)] == runs
    assert told.index(1) < told.index([3])


async def test_times_and_rows_are_told(bench_of):
    bench = await bench_of(max_batch_rows=4, padding_buckets=(4,))
    first = await bench.submit(1)
    bench.clock.now = 1.0
    second = await bench.submit(2)
    bench.clock.now = 1.5
    third = await bench.submit(3, 4)
    bench.clock.now = 3.0
    await bench.open()
    bench.clock.now = 7.0
    await bench.open()
    runs = [task.result().run for task in (first, second, third)]
    assert [(run.rows, run.infer_s) for run in runs] == [(1, 3.0), (3, 4.0), (3, 4.0)]
    assert [task.result().queue_s for task in (first, second, third)] == [0.0, 2.0, 1.5]
    assert bench.observed == [runs[0], runs[1]]


async def test_leaving_cancels_whoever_waits(bench_of):
    bench = await bench_of(max_batch_rows=1)
    tasks = [await bench.submit(value) for value in (1, 2)]
    await bench.batcher.__aexit__(None, None, None)
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)


async def test_drained_waits_for_what_waits_and_what_runs(bench_of):
    bench = await bench_of(max_batch_rows=1, sessions=2)
    await bench.batcher.drained()
    tasks = [await bench.submit(value) for value in (1, 2, 3)]
    drained = asyncio.create_task(bench.batcher.drained())
    for _ in range(2):
        await bench.open()
        assert not drained.done()
    await bench.open()
    assert drained.done()
    assert all(task.done() for task in tasks)


async def test_drained_waits_for_a_run_behind_which_nothing_waits(bench_of):
    bench = await bench_of(sessions=2)
    await bench.submit(1)
    drained = asyncio.create_task(bench.batcher.drained())
    await bench.settle()
    assert not drained.done()
    await bench.open()
    assert drained.done()


async def test_drained_ends_when_the_batcher_is_left(bench_of):
    bench = await bench_of()
    await bench.submit(1)
    await bench.submit(2)
    drained = asyncio.create_task(bench.batcher.drained())
    await bench.settle()
    await bench.batcher.__aexit__(None, None, None)
    await drained


async def test_drained_ends_when_the_last_one_leaves(bench_of):
    bench = await bench_of(max_delay_ms=10)
    task = await bench.submit(1)
    drained = asyncio.create_task(bench.batcher.drained())
    await bench.settle()
    assert not drained.done()
    await bench.cancel(task)
    await drained
    assert bench.model.batches == []


async def test_leaving_cancels_the_rest_of_a_failed_batch(bench_of):
    bench = await bench_of()
    await bench.submit(0)
    tasks = [await bench.submit(value) for value in (1, -2, 3)]
    await bench.open()
    await bench.open()
    assert bench.model.batches[-1] == [1]
    await bench.batcher.__aexit__(None, None, None)
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)


async def test_who_leaves_while_the_batcher_is_left_hears_of_it(bench_of):
    bench = await bench_of(max_delay_ms=10)
    tasks = [await bench.submit(value) for value in (1, 2)]
    bench.clock.now = 1.0  # their batch is due
    leaving = asyncio.create_task(bench.batcher.__aexit__(None, None, None))
    await asyncio.sleep(0)
    tasks[0].cancel()
    await leaving
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)


async def test_nothing_is_left_after_leaving(bench_of):
    bench = await bench_of(max_delay_ms=10)
    tasks = [await bench.submit(value, deadline=5.0) for value in (1, 2)]
    await bench.batcher.__aexit__(None, None, None)
    assert (bench.batcher.waiting, bench.batcher.waiting_bytes, bench.clock.timers) == (0, 0, [])
    await asyncio.wait(tasks)
    await bench.batcher.drained()
    with pytest.raises(Draining, match="is being unloaded"):
        (await bench.submit(3)).result()
