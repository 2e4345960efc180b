"""A full batch is handed over while the model is busy, so that it need not wait for the event loop."""

import asyncio

import numpy as np
import pytest

from serving.batcher import Batcher
from serving.settings import ModelSettings


def rows(task):
    return task.result().answer["y"][:, 0].tolist()


async def test_a_full_batch_is_handed_over_while_one_runs_and_no_third_one(bench_of):
    bench = await bench_of(batch_rows=2, ahead=True)
    tasks = [await bench.submit(1), await bench.submit(2)]
    assert bench.model.batches == [[1]]  # of two rows there could still be a fuller one
    tasks += [await bench.submit(value) for value in (3, 4, 5, 6)]
    assert bench.model.batches == [[1], [2, 3]]
    await bench.open()
    assert bench.model.batches == [[1], [2, 3], [4, 5]]
    await bench.open()
    assert bench.model.batches == [[1], [2, 3], [4, 5]]
    await bench.open()
    assert bench.model.batches == [[1], [2, 3], [4, 5], [6]]
    await bench.open()
    assert [rows(task) for task in tasks] == [[-1], [-2], [-3], [-4], [-5], [-6]]


async def test_a_session_that_has_nothing_to_do_goes_before_one_that_is_busy():
    handed, gate = [], asyncio.Event()

    def session(name):
        async def run(feed):
            handed.append(name)
            await gate.wait()
            return {"y": feed["x"]}

        return run

    settings = ModelSettings(batch_rows=1)
    both = [session("a"), session("b")]
    async with Batcher(both, settings, ahead=True) as batcher, asyncio.TaskGroup() as group:
        for count in range(1, 6):
            group.create_task(batcher.submit({"x": np.zeros((1, 1))}))
            await settle()
            assert len(handed) == min(count, 4)
        assert set(handed[:2]) == set(handed[2:]) == {"a", "b"}
        gate.set()
    assert len(handed) == 5


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_run_that_is_handed_over_begins_when_the_one_before_it_ends(bench_of):
    bench = await bench_of(batch_rows=1, ahead=True)
    first, second = await bench.submit(1), await bench.submit(2)
    bench.clock.now = 3.0
    await bench.open()
    bench.clock.now = 7.0
    await bench.open()
    times = [(task.result().queue_s, task.result().run.infer_s) for task in (first, second)]
    assert times == [(0.0, 3.0), (3.0, 4.0)]


async def test_a_batch_that_fails_harms_none_that_was_handed_over(bench_of):
    bench = await bench_of(batch_rows=2, ahead=True)
    bad, good = await bench.submit(-1, 1), await bench.submit(2, 3)
    assert bench.model.batches == [[-1, 1], [2, 3]]
    await bench.model.open_all()
    assert rows(good) == [-2, -3]
    with pytest.raises(ValueError, match="a negative row"):
        bad.result()


async def test_what_is_handed_over_is_waited_for_and_cancelled_as_what_runs(bench_of):
    bench = await bench_of(batch_rows=1, ahead=True)
    tasks = [await bench.submit(value) for value in (1, 2)]
    drained = asyncio.create_task(bench.batcher.drained())
    await bench.open()
    assert not drained.done()
    tasks += [await bench.submit(value) for value in (3, 4)]
    await bench.batcher.__aexit__(None, None, None)
    await drained
    await asyncio.wait(tasks)
    assert rows(tasks[0]) == [-1]
    assert all(task.cancelled() for task in tasks[1:])
