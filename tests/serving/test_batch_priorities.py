"""Levels of priority: who is served first, and who waits for whom."""


async def test_higher_levels_go_first_and_within_a_level_the_oldest(bench_of):
    bench = await bench_of(max_batch_rows=2, priority_levels=3, default_priority=2)
    await bench.submit(0)
    for value, priority in ((1, 3), (2, 2), (3, 1), (4, 3), (5, 2), (6, 1), (7, 1)):
        await bench.submit(value, priority=priority)
    await bench.model.open_all()
    assert bench.model.batches == [[0], [3, 6], [7, 2], [5, 1], [4]]


async def test_an_absent_or_unknown_priority_is_the_default(bench_of):
    bench = await bench_of(max_batch_rows=1, priority_levels=3, default_priority=2)
    await bench.submit(0)
    await bench.submit(1, priority=3)
    for value, priority in enumerate((0, 4, -1, 2**63), 2):
        await bench.submit(value, priority=priority)
    await bench.submit(6)
    await bench.submit(7, priority=1)
    await bench.model.open_all()
    assert bench.model.batches == [[0], [7], [2], [3], [4], [5], [6], [1]]


async def test_without_levels_priorities_mean_nothing(bench_of):
    bench = await bench_of(max_batch_rows=1)
    await bench.submit(0)
    for value, priority in ((1, 2), (2, 0), (3, 1)):
        await bench.submit(value, priority=priority)
    await bench.model.open_all()
    assert bench.model.batches == [[0], [1], [2], [3]]


async def test_lower_levels_fill_up_what_higher_ones_leave(bench_of):
    bench = await bench_of(max_batch_rows=4, priority_levels=2, default_priority=2)
    await bench.submit(0)
    await bench.submit(1)
    await bench.submit(2, 2)
    await bench.submit(3, 3, priority=1)
    await bench.model.open_all()
    # Beside the first level's two rows and the oldest of the second, the item of two rows would not fit.
    assert bench.model.batches == [[0], [3, 3, 1], [2, 2]]


async def test_lower_levels_do_not_overtake_one_that_does_not_fit(bench_of):
    bench = await bench_of(max_batch_rows=4, priority_levels=2, default_priority=2)
    await bench.submit(0)
    await bench.submit(1)
    await bench.submit(2, 2, 2, priority=1)
    await bench.submit(3, 3, priority=1)
    await bench.model.open_all()
    assert bench.model.batches == [[0], [2, 2, 2], [3, 3, 1]]


async def test_a_shape_that_does_not_fit_goes_next_however_many_of_the_other_come(bench_of):
    bench = await bench_of(max_batch_rows=2, priority_levels=2, default_priority=1)
    await bench.submit(0)
    await bench.submit(1)
    await bench.submit(2, width=2)
    for value in (3, 4, 5):
        await bench.submit(value)
    await bench.open()
    await bench.submit(6)
    await bench.model.open_all()
    assert bench.model.batches == [[0], [1, 3], [2], [4, 5], [6]]


async def test_the_oldest_of_any_level_ends_the_delay(bench_of):
    bench = await bench_of(max_batch_rows=4, max_delay_ms=10, priority_levels=2, default_priority=2)
    await bench.submit(1)
    await bench.advance(0.008)
    await bench.submit(2, priority=1)
    await bench.advance(0.002)
    assert bench.model.batches == [[2, 1]]
    await bench.open()


async def test_without_a_default_whoever_names_no_level_comes_last(bench_of):
    bench = await bench_of(max_batch_rows=1, priority_levels=2)
    await bench.submit(1)
    for value, priority in ((2, 0), (3, 2), (4, 1)):
        await bench.submit(value, priority=priority)
    for _ in range(4):
        await bench.open()
    assert bench.model.batches == [[1], [4], [2], [3]]
