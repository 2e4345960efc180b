import itertools
import math

import numpy as np
import pytest

from export.parity.bounds import samples_for_drop, samples_for_share, samples_for_width, tango_bounds
from export.parity.statistics import clopper_pearson, mcnemar_exact


# The upper bounds and p values of a published comparison; the first is 2.7055 / (n + 2.7055) by hand.
@pytest.mark.parametrize(
    ("samples", "worse", "better", "bound", "p"),
    [
        (10_000, 0, 0, 0.027, 1),
        (10_000, 5, 0, 0.103, 0.0625),
        (10_000, 6, 0, 0.116, 0.031),
        (10_000, 12, 4, 0.156, 0.077),
        (10_000, 20, 10, 0.198, 0.099),
        (10_000, 40, 30, 0.242, 0.28),
        (1_000, 0, 0, 0.270, 1),
    ],
)
def test_known_bounds(samples, worse, better, bound, p):
    assert 100 * tango_bounds(worse, better, samples)[1] == pytest.approx(bound, abs=6e-4)
    assert mcnemar_exact(worse, better) == pytest.approx(p, abs=5e-3)


@pytest.mark.parametrize(("worse", "better", "samples"), [(12, 2, 50), (2, 12, 50), (5, 5, 40), (1, 0, 30)])
def test_the_bounds_are_where_the_score_reaches_the_quantile(worse, better, samples):
    """The definition by brute force: the likelihood's maximum under each bound, found on a fine grid."""
    for bound, target in zip(tango_bounds(worse, better, samples), (1.6449, -1.6449), strict=True):
        q = np.linspace(max(0, -bound) + 1e-9, (1 - bound) / 2 - 1e-9, 2_000_001)
        likelihood = (
            worse * np.log(q + bound)
            + better * np.log(q)
            + (samples - worse - better) * np.log(1 - 2 * q - bound)
        )
        best = q[likelihood.argmax()]
        score = (worse - better - samples * bound) / np.sqrt(samples * (2 * best + bound * (1 - bound)))
        assert score == pytest.approx(target, abs=2e-3)


def test_swapping_the_models_mirrors_the_bounds():
    low, high = tango_bounds(7, 3, 500)
    mirrored = tango_bounds(3, 7, 500)
    assert (low, high) == pytest.approx((-mirrored[1], -mirrored[0]), abs=1e-12)


@pytest.mark.parametrize("counts", [(0, 0, 0), (-1, 0, 10), (6, 5, 10)])
def test_impossible_counts_are_refused(counts):
    with pytest.raises(ValueError, match="impossible counts"):
        tango_bounds(*counts)


# Counts of each 1,000 samples; all that can be tried whole are its multiples.
@pytest.mark.parametrize(("worse", "better"), [(0, 0), (1, 1), (2, 1), (3, 0), (5, 0), (6, 5), (9, 5)])
@pytest.mark.parametrize("margin", [0.001, 0.002])
def test_as_many_samples_as_said_decide_on_a_drop_and_fewer_do_not(worse, better, margin):
    needed = samples_for_drop(worse, better, 1_000, margin)
    if worse - better == 1_000 * margin:
        assert needed is None
        return

    def decides(thousands):
        low, high = tango_bounds(worse * thousands, better * thousands, 1_000 * thousands)
        return high <= margin or low > margin

    first = next(thousands for thousands in itertools.count(1) if decides(thousands))
    assert first == math.ceil(needed / 1_000)


def test_without_any_flip_the_number_is_known_by_hand():
    # The bound is z² / (n + z²) with z² = 2.7055, within 0.002 from n = 1350.06 on.
    assert samples_for_drop(0, 0, 100, 0.002) == 1351
    assert samples_for_drop(0, 0, 100, 0.0) is None


@pytest.mark.parametrize(
    ("count", "samples", "margin"),
    [(0, 1, 0.005), (1, 400, 0.005), (1, 100, 0.005), (3, 700, 0.005), (1, 4, 0.1), (2, 50, 0.1)],
)
def test_as_many_samples_as_said_decide_on_a_share(count, samples, margin):
    """Whole counts by brute force; between them the share cannot be kept, so only the next is tried."""
    needed = samples_for_share(count, samples, margin)

    def decides(times):
        low, high = clopper_pearson(count * times, samples * times)
        return high <= margin or low > margin

    first = next(times for times in itertools.count(1) if decides(times))
    assert first == math.ceil(needed / samples)


def test_a_share_at_the_margin_is_never_decided():
    assert samples_for_share(5, 1_000, 0.005) is None
    assert samples_for_share(0, 1_000, 0.0) is None
    # Near it the number is that of the normal approximation: 1.6449² x 0.005 x 0.995 / 0.00001².
    assert samples_for_share(499, 100_000, 0.005) == pytest.approx(134_600_000, rel=1e-3)


def test_a_bound_draws_near_as_the_root_of_the_number_of_samples():
    assert samples_for_width(2.0, 8.0, 100, 5.0) == 400  # half as wide
    assert samples_for_width(8.0, 2.0, 100, 5.0) == 400
    assert samples_for_width(5.0, 8.0, 100, 5.0) is None
