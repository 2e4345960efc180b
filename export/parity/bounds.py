"""One-sided 95 % bounds on which parity decides, and the sample sizes at which they would decide."""

import math

from export.parity.statistics import (
    Z_ONE_SIDED_95,
    binomial_at_least,
    binomial_at_most,
    falling_root,
)

ALPHA = 0.05
EXACT_SEARCH_LIMIT = 1_000_000  # samples; above it the normal approximation is as good


def tango_score(worse: float, better: float, samples: float, difference: float) -> float:
    """The score statistic of a paired difference of proportions: how far the counts lie above a difference.

    T. Tango (1998), Statistics in Medicine 17, 891-908:
    (worse - better - n d) / sqrt(n (2 q + d (1 - d))), where q is the maximum-likelihood estimate of the
    probability of `better` under the difference d.

    Args:
        worse: samples that the reference gets right and the candidate wrong.
        better: the reverse.
        samples: all of them, at least 1.
        difference: the drop of the candidate's accuracy that is tried, -1 to 1.

    Returns:
        Standard errors; it falls with the difference.
    """
    a = 2 * samples
    b = -worse - better + (2 * samples - worse + better) * difference
    c = -better * difference * (1 - difference)
    estimate = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    variance = samples * (2 * estimate + difference * (1 - difference))
    distance = worse - better - samples * difference
    return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance)


def tango_bounds(worse: int, better: int, samples: int, *, z: float = Z_ONE_SIDED_95) -> tuple[float, float]:
    """Score bounds of a paired difference of proportions, valid with empty cells too.

    The differences at which `tango_score` equals z and -z.

    Args:
        worse: samples that the reference gets right and the candidate wrong.
        better: the reverse.
        samples: all of them, at least 1.
        z: normal quantile; the default gives one-sided 95 % bounds.

    Returns:
        Lower and upper bound of the drop of the candidate's accuracy, as shares between -1 and 1.

    Raises:
        ValueError: counts that cannot be.
    """
    if samples < 1 or worse < 0 or better < 0 or worse + better > samples:
        raise ValueError(f"impossible counts: {worse} worse and {better} better of {samples}")

    def score(difference: float) -> float:
        return tango_score(worse, better, samples, difference)

    observed = (worse - better) / samples
    return falling_root(score, z, -1.0, observed), falling_root(score, -z, observed, 1.0)


def samples_for_drop(worse: int, better: int, samples: int, margin: float) -> int | None:
    """The number of samples at which the same rates would put a Tango bound on one side of the margin.

    At fixed rates the score at the margin grows with the root of the number of samples, and a bound touches
    the margin where it reaches the normal quantile.

    Args:
        worse: samples that the reference gets right and the candidate wrong.
        better: the reverse.
        samples: all of them, at least 1.
        margin: the allowed drop, a share.

    Returns:
        None if the observed drop is the margin, so that no number would do.
    """
    score = tango_score(worse, better, samples, margin)
    if abs(score) < 1e-9 or math.isinf(score):  # noqa: PLR2004  (zero but for rounding; nothing to learn)
        return None
    return math.ceil(samples * (Z_ONE_SIDED_95 / score) ** 2)


def samples_for_share(count: int, samples: int, margin: float) -> int | None:
    """The number of samples at which the same share would put a Clopper-Pearson bound beside the margin.

    Args:
        count: of successes.
        samples: all of them, at least 1.
        margin: the share to be told apart, 0 to 1.

    Returns:
        None if the observed share is the margin, so that no number would do.
    """
    share = count / samples
    if math.isclose(share, margin, rel_tol=1e-9, abs_tol=1e-12):
        return None
    if not 0 < margin < 1:  # no bound ever reaches 0, and every bound is within 1
        return None
    normal = math.ceil((Z_ONE_SIDED_95 / (share - margin)) ** 2 * margin * (1 - margin))
    if normal > EXACT_SEARCH_LIMIT:
        return normal

    def decided(size: int) -> bool:
        if share < margin:
            return binomial_at_most(share * size, size, margin) <= ALPHA
        return binomial_at_least(share * size, size, margin) < ALPHA

    low, high = 0, 1
    while not decided(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decided(middle) else (middle, high)
    return high


def samples_for_width(estimate: float, bound: float, samples: int, limit: float) -> int | None:
    """The number of samples at which a bound, drawing near as the root of their number, reaches a limit.

    Args:
        estimate: observed.
        bound: on the limit's side of the estimate.
        samples: behind both.
        limit: to be told apart from the estimate.

    Returns:
        None if the estimate is the limit, so that no number would do.
    """
    if math.isclose(estimate, limit, rel_tol=1e-9, abs_tol=1e-12):
        return None
    return math.ceil(samples * ((bound - estimate) / (limit - estimate)) ** 2)
