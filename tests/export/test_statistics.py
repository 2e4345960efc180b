import numpy as np
import pytest

from export.statistics import mcnemar_exact, tango_bounds


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
