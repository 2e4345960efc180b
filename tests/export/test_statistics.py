import math
from fractions import Fraction

import pytest

from export.parity.statistics import (
    binomial_at_least,
    binomial_at_most,
    clopper_pearson,
    holm,
    incomplete_beta,
    mcnemar_exact,
    wilson_interval,
)


@pytest.mark.parametrize("x", [0.0, 1e-6, 0.2, 0.5, 0.8, 0.999, 1.0])
def test_the_incomplete_beta_function_has_its_closed_forms(x):
    assert incomplete_beta(x, 7.5, 1) == pytest.approx(x**7.5, rel=1e-12)
    assert incomplete_beta(x, 1, 3) == pytest.approx(1 - (1 - x) ** 3, rel=1e-9)
    assert incomplete_beta(x, 0.5, 0.5) == pytest.approx(2 / math.pi * math.asin(math.sqrt(x)), rel=1e-9)


@pytest.mark.parametrize(
    ("count", "samples", "share"),
    [(0, 1, (3, 10)), (1, 1, (3, 10)), (3, 12, (1, 2)), (16, 10_000, (1, 1_000)), (40, 200, (1, 4))],
)
def test_binomial_tails_are_the_sums_of_their_terms(count, samples, share):
    yes, whole = share
    terms = [math.comb(samples, k) * yes**k * (whole - yes) ** (samples - k) for k in range(count + 1)]
    at_most = float(Fraction(sum(terms), whole**samples))
    at_least = float(1 - Fraction(sum(terms[:-1]), whole**samples))
    assert binomial_at_most(count, samples, yes / whole) == pytest.approx(at_most, rel=1e-9)
    assert binomial_at_least(count, samples, yes / whole) == pytest.approx(at_least, rel=1e-9)


# R. G. Newcombe (1998), Statistics in Medicine 17, 857-872, table I, methods 3 and 5: two-sided 95 %.
@pytest.mark.parametrize(
    ("count", "samples", "wilson", "exact"),
    [
        (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
        (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
        (0, 20, (0.0, 0.1611), (0.0, 0.1684)),
        (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
    ],
)
def test_published_intervals_of_a_share(count, samples, wilson, exact):
    assert wilson_interval(count, samples) == pytest.approx(wilson, abs=6e-5)
    assert clopper_pearson(count, samples, alpha=0.025) == pytest.approx(exact, abs=6e-5)


def test_without_any_success_the_exact_bound_is_a_root_of_alpha():
    assert clopper_pearson(0, 10_000) == (0.0, pytest.approx(1 - 0.05 ** (1 / 10_000), rel=1e-9))
    assert clopper_pearson(50, 50) == (pytest.approx(0.05 ** (1 / 50), rel=1e-9), 1.0)


@pytest.mark.parametrize("counts", [(0, 0), (-1, 10), (11, 10)])
def test_impossible_counts_of_a_share_are_refused(counts):
    for function in (clopper_pearson, wilson_interval):
        with pytest.raises(ValueError, match="impossible counts"):
            function(*counts)


def test_mcnemars_p_is_that_of_a_fair_coin():
    assert mcnemar_exact(0, 0) == 1
    assert mcnemar_exact(5, 0) == pytest.approx(2 / 2**5)
    assert mcnemar_exact(1, 7) == pytest.approx(2 * (1 + 8) / 2**8)
    tail = sum(math.comb(1_000, k) for k in range(481))
    assert mcnemar_exact(520, 480) == pytest.approx(float(Fraction(2 * tail, 2**1_000)), rel=1e-9)


def test_holms_correction_by_hand():
    # Sorted 0.005 x 4, 0.01 x 3, 0.03 x 2, 0.04 x 1, and none below the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.6, 0.9]) == (1.0, 1.0)
    assert holm([]) == ()
