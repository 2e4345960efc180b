"""How large batches pay, by the times of runs, and which runs are tried to find out."""

import pytest

from serving.pace import learn
from serving.settings import ModelSettings


def learned(curve, **settings):
    """What is learned of a model whose runs take `curve(rows)` milliseconds, and the sizes that were run."""
    tried = []

    def seconds_of(rows):
        tried.append(rows)
        return curve(rows) / 1000

    return learn(seconds_of, ModelSettings(**settings)), tried


def tiny(rows):
    return 0.008 + 0.025 * rows


def late(rows):
    """Batches pay only from eight rows on, with another way to multiply."""
    return {1: 1.0, 2: 2.6, 4: 4.9}.get(rows, 0.4 * rows)


def cached(rows):
    """Rows that are cheap while their activations stay in the cache: of a mobile network, as measured."""
    return {1: 2.82, 2: 5.45, 4: 10.88, 8: 24.6, 16: 55.2, 32: 119.4, 64: 263.6}[rows]


def large(rows):
    return {1: 37.7, 2: 73.9, 4: 147.0, 8: 307.6, 16: 639.1}[rows]


def dense(rows):
    """Most of the time goes into reading the weights, once a run."""
    return 40 + 0.5 * rows


@pytest.mark.parametrize(
    ("curve", "settings", "batch_rows", "tried"),
    [
        (tiny, {}, 64, [1, 2, 4, 8, 16, 32, 64]),
        (tiny, {"max_batch_rows": 48}, 48, [1, 2, 4, 8, 16, 32, 48]),
        (tiny, {"max_batch_rows": 1}, 1, [1]),
        (cached, {}, 4, [1, 2, 4, 8, 16]),
        (large, {}, 2, [1, 2, 4]),
        (dense, {}, 64, [1, 2, 4, 8, 16, 32, 64]),
        (lambda rows: 100 * rows, {}, 1, [1, 2]),
        (lambda rows: 5000 * rows, {}, 1, [1, 2]),
        (late, {}, 32, [1, 2, 4, 8, 16, 32, 64]),
        (lambda rows: 900 + 90 * rows, {}, 4, [1, 2, 4]),  # it would go on to gain, but nobody waits so long
    ],
)
def test_batches_are_as_large_as_a_row_gets_cheaper(curve, settings, batch_rows, tried):
    pace, sizes = learned(curve, **settings)
    assert (pace.batch_rows, sizes) == (batch_rows, tried)


@pytest.mark.parametrize(
    ("curve", "settings", "batch_rows", "tried"),
    [
        (cached, {"batch_rows": 32}, 32, [1, 2, 32]),
        (tiny, {"batch_rows": 1}, 1, [1, 2]),
        (tiny, {"batch_rows": 1, "max_batch_rows": 1}, 1, [1]),
        (tiny, {"batch_rows": 3, "padding_buckets": (2, 8)}, 3, [2, 8]),
    ],
)
def test_a_size_that_was_set_holds(curve, settings, batch_rows, tried):
    pace, sizes = learned(curve, **settings)
    assert (pace.batch_rows, sizes) == (batch_rows, tried)


def test_no_sizes_are_run_that_padding_rules_out():
    assert learned(tiny, padding_buckets=(4, 24))[1] == [4, 24, 32, 64]
    pace, sizes = learned(cached, padding_buckets=(4, 64))
    assert (pace.batch_rows, sizes) == (4, [4, 64])


def test_the_time_of_a_full_batch_is_known():
    assert learned(cached)[0].batch_s == 0.01088
    assert learned(tiny, batch_rows=3, padding_buckets=(2, 8))[0].batch_s == tiny(8) / 1000


def test_runs_of_up_to_0_3_milliseconds_are_short():
    assert learned(tiny)[0].inline_rows == 11  # those of 8 rows take 0.208 ms
    assert learned(tiny, max_batch_rows=4)[0].inline_rows == 4
    assert learned(cached)[0].inline_rows == 0
    assert learned(lambda rows: 0.09 * rows)[0].inline_rows == 3


def test_the_gain_is_what_a_full_batch_spares_a_row():
    assert learned(tiny)[0].gain_s == pytest.approx(0.000008 * 63 / 64)
    assert learned(dense, batch_rows=8)[0].gain_s == pytest.approx(0.040 * 7 / 8)
    assert learned(dense, batch_rows=8)[0].gain == pytest.approx(1 - (40 + 0.5 * 8) / 8 / 40.5)
    assert learned(large, batch_rows=1)[0].gain == 0
