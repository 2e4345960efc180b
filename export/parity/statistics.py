"""Exact tests and intervals of proportions. Plain arithmetic, no array library."""

import math
from collections.abc import Callable, Sequence

Z_ONE_SIDED_95 = 1.6448536269514722  # 95 % quantile of the normal distribution
Z_TWO_SIDED_95 = 1.959963984540054  # 97.5 % quantile
TINY = 1e-300
FRACTION_STEPS = 1_000_000  # far more than any count of samples needs: about the root of the larger argument


def incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularized incomplete beta function I_x(a, b).

    NIST Digital Library of Mathematical Functions, 8.17.22: a continued fraction, evaluated by Lentz's method
    as modified by Thompson and Barnett (Numerical Recipes, 3rd edition, 5.2 and 6.4).

    Args:
        x: 0 to 1.
        a: above 0.
        b: above 0.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on the other side alone
        return 1 - incomplete_beta(1 - x, b, a)
    power = a * math.log(x) + b * math.log1p(-x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + power) / a
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, FRACTION_STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for numerator in (even, odd):
            d = 1 / _away_from_zero(1 + numerator * d)
            c = _away_from_zero(1 + numerator / c)
            fraction *= c * d
        if abs(c * d - 1) < 1e-15:  # noqa: PLR2004  (the precision of a float)
            break
    return front * fraction


def _away_from_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY


def binomial_at_most(count: float, samples: float, share: float) -> float:
    """P(X ≤ count) of a binomial X; counts that are no whole numbers are interpolated smoothly.

    Args:
        count: 0 to samples.
        samples: tosses.
        share: the probability of one success, 0 to 1.
    """
    return 1.0 if count >= samples else incomplete_beta(1 - share, samples - count, count + 1)


def binomial_at_least(count: float, samples: float, share: float) -> float:
    """P(X ≥ count) of a binomial X; counts that are no whole numbers are interpolated smoothly."""
    return 1.0 if count <= 0 else incomplete_beta(share, count, samples - count + 1)


def clopper_pearson(count: int, samples: int, *, alpha: float = 0.05) -> tuple[float, float]:
    """Exact one-sided bounds of a share, each with an error of at most alpha.

    C. J. Clopper, E. S. Pearson (1934), Biometrika 26, 404-413: the shares under which a count as high, or as
    low, as the observed one has a probability of alpha.

    Args:
        count: of successes.
        samples: all of them, at least 1.
        alpha: error of each bound.

    Returns:
        Lower and upper bound, 0 to 1.
    """
    _check_counts(count, samples)
    lower = falling_root(lambda share: -binomial_at_least(count, samples, share), -alpha, 0.0, 1.0)
    upper = falling_root(lambda share: binomial_at_most(count, samples, share), alpha, 0.0, 1.0)
    return lower if count else 0.0, upper if count < samples else 1.0


def wilson_interval(count: int, samples: int, *, z: float = Z_TWO_SIDED_95) -> tuple[float, float]:
    """Score interval of a share. E. B. Wilson (1927), JASA 22, 209-212.

    Args:
        count: of successes.
        samples: all of them, at least 1.
        z: normal quantile; the default gives a two-sided 95 % interval.

    Returns:
        Lower and upper end, 0 to 1.
    """
    _check_counts(count, samples)
    share, square = count / samples, z * z / samples
    centre = (share + square / 2) / (1 + square)
    half = z * math.sqrt(share * (1 - share) / samples + square / (4 * samples)) / (1 + square)
    return max(0.0, centre - half), min(1.0, centre + half)


def mcnemar_exact(worse: int, better: int) -> float:
    """Two-sided exact p of McNemar's test: the discordant pairs as fair coin tosses (Q. McNemar, 1947)."""
    return min(1.0, 2 * binomial_at_most(min(worse, better), worse + better, 0.5))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjust p values so that the chance of any false alarm among them stays at the level.

    S. Holm (1979), Scandinavian Journal of Statistics 6, 65-70: the k-th smallest of m is multiplied by
    m - k + 1, and none may be below a smaller one.
    """
    adjusted, floor = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        floor = max(floor, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = floor
    return tuple(adjusted)


def falling_root(function: Callable[[float], float], target: float, low: float, high: float) -> float:
    """Where a falling function passes a target, by bisection."""
    for _ in range(100):
        middle = (low + high) / 2
        if function(middle) > target:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _check_counts(count: int, samples: int) -> None:
    if samples < 1 or not 0 <= count <= samples:
        raise ValueError(f"impossible counts: {count} of {samples}")
