"""Intervals for the difference of two classifiers on the same samples. Plain arithmetic, no array library."""

import math
from collections.abc import Callable

Z_ONE_SIDED_95 = 1.6448536269514722  # 95 % quantile of the normal distribution


def tango_bounds(worse: int, better: int, samples: int, *, z: float = Z_ONE_SIDED_95) -> tuple[float, float]:
    """Score bounds of a paired difference of proportions, valid with empty cells too.

    T. Tango (1998), Statistics in Medicine 17, 891-908: the difference d for which
    (worse - better - n d) / sqrt(n (2 q + d (1 - d))) equals -z and z, where q is the maximum-likelihood
    estimate of the probability of `better` under d.

    Args:
        worse: samples that the reference gets right and the candidate wrong.
        better: the reverse.
        samples: all of them, at least 1.
        z: normal quantile; the default gives one-sided 95 % bounds.

    Returns:
        Lower and upper bound of the drop of the candidate's accuracy, as shares between -1 and 1.
    """
    if samples < 1 or worse < 0 or better < 0 or worse + better > samples:
        raise ValueError(f"impossible counts: {worse} worse and {better} better of {samples}")

    def score(difference: float) -> float:
        a = 2 * samples
        b = -worse - better + (2 * samples - worse + better) * difference
        c = -better * difference * (1 - difference)
        estimate = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
        variance = samples * (2 * estimate + difference * (1 - difference))
        distance = worse - better - samples * difference
        return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance)

    observed = (worse - better) / samples
    return _root(score, z, -1.0, observed), _root(score, -z, observed, 1.0)


def _root(score: Callable[[float], float], target: float, low: float, high: float) -> float:
    """Where the falling function `score` passes `target`, by bisection."""
    for _ in range(100):
        middle = (low + high) / 2
        if score(middle) > target:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def mcnemar_exact(worse: int, better: int) -> float:
    """Two-sided exact p of McNemar's test: the discordant pairs as fair coin tosses (Q. McNemar, 1947)."""
    tosses = worse + better
    tail = sum(math.comb(tosses, count) for count in range(min(worse, better) + 1))
    return min(1.0, 2 * tail / (1 << tosses))
