"""How often the accuracy gate errs, and what it lets through: exact, by enumerating both counts.

Of n samples, `worse` and `better` are trinomial. All values of `better` up to REVERSE are summed; what lies
above has a probability below 1e-12, a test says. For each, `worse` is summed in full.
"""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from export.parity.bounds import tango_bounds

SAMPLES = 10_000
REVERSE = 120
DOCS = Path(__file__).resolve().parents[2] / "docs" / "parity.md"
LOG_FACTORIALS = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, SAMPLES + 1)))])


@cache
def thresholds(margin):
    """For each count of `better`: the largest `worse` that passes (-1: none), the smallest that fails."""

    def first(condition, start, better):
        return next(
            worse for worse in range(start, SAMPLES) if condition(*tango_bounds(worse, better, SAMPLES))
        )

    passes, fails, at_pass, at_fail = [], [], 0, 0
    for better in range(REVERSE + 1):  # both only grow with it
        at_pass = first(lambda _, upper: 100 * upper > margin, at_pass, better)
        at_fail = first(lambda lower, _: 100 * lower > margin, max(at_fail, at_pass), better)
        passes.append(at_pass - 1)
        fails.append(at_fail)
    return passes, fails


def binomial(samples, share, counts):
    """P(X = count) of each of the counts."""
    if share == 0:
        return (counts == 0).astype(float)
    logs = LOG_FACTORIALS[samples] - LOG_FACTORIALS[counts] - LOG_FACTORIALS[samples - counts]
    return np.exp(logs + counts * np.log(share) + (samples - counts) * np.log1p(-share))


def chances(worse, better, margin):
    """P(pass) and P(fail) if so many of 10,000 samples are worse and better in truth."""
    passes, fails = thresholds(margin)
    reverse = binomial(SAMPLES, better / SAMPLES, np.arange(REVERSE + 1))
    share = worse / (SAMPLES - better)
    passed = failed = 0.0
    for count, weight in enumerate(reverse):
        terms = binomial(SAMPLES - count, share, np.arange(fails[count]))
        passed += weight * terms[: passes[count] + 1].sum()
        failed += weight * (1 - terms.sum())
    return passed, failed


def test_what_is_left_out_of_the_sums_is_negligible():
    assert 1 - binomial(SAMPLES, 40 / SAMPLES, np.arange(REVERSE + 1)).sum() < 1e-12


@pytest.mark.parametrize("margin", [0.1, 0.2])
def test_at_a_true_drop_of_the_margin_the_gate_errs_one_time_in_twenty(margin):
    drop = SAMPLES * margin / 100
    rates = [chances(drop + better, better, margin) for better in range(41)]
    assert max(passed for passed, _ in rates) <= 0.051
    assert max(failed for _, failed in rates) <= 0.06
    # A gate that never decides would keep these rates too.
    assert all(passed > 0.02 and failed > 0.02 for passed, failed in rates)


def test_the_documented_power_is_that_of_the_gate():
    rows = re.findall(
        r"^\| (\d+) : (\d+) \| ([\d.]+) % \| ([\d.]+) % \| ([\d.]+) % \|$", DOCS.read_text(), re.M
    )
    assert len(rows) >= 6
    for worse, better, *shown in rows:
        passed, failed = chances(int(worse), int(better), 0.2)
        expected = [100 * passed, 100 * (1 - passed - failed), 100 * failed]
        assert [float(text) for text in shown] == pytest.approx(expected, abs=0.051), f"{worse} : {better}"


def test_a_small_loss_of_fifteen_to_ten_passes_about_seven_times_in_eight():
    assert chances(15, 10, 0.2)[0] == pytest.approx(0.87, abs=0.01)
