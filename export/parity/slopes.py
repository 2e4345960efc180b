"""Whether a candidate's scores grow faster or slower than the reference's: a scaled kernel, before it flips.

Logits have `distance.slope`. Here it is read from probabilities: of several classes, from their logarithms
about each row's mean; of yes and no, from the logarithm of the odds.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.parity.bootstrap import Floats

STEPS = (256, 255, 32768, 32767)  # how many steps 8-bit and 16-bit probabilities divide 1 into
SMALLEST = 1e-6
OFF = 0.01  # of a step, that a multiple of it may be off in float32
FEWEST_ROWS = 30  # below it the standard error means little
ROUNDS = 30
RANGE = (0.01, 100.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbabilitySlope:
    """What the probabilities say.

    Attributes:
        slope: of the candidate's on the reference's.
        error: its standard error, over samples.
        rounded: the candidate's are multiples of a step so coarse that the slope is fitted otherwise.
    """

    slope: float
    error: float
    rounded: bool


def probability_slope(
    reference: NDArray[Any], candidate: NDArray[Any], *, rows: bool
) -> ProbabilitySlope | None:
    """The slope of the logits behind probabilities.

    Args:
        reference: (samples, ...).
        candidate: the same shape.
        rows: each row is of one softmax; else every element is a probability of yes.

    Returns:
        None if too few samples have more than one answer that is not all but impossible.
    """
    before, after = (
        np.clip(array.reshape(len(array), -1).astype(np.float64), 0, 1) for array in (reference, candidate)
    )
    step = _step(after)
    if step > 0:
        return _fitted(before, after, step, rows=rows)
    return _regressed(before, after, rows=rows)


def _step(values: Floats) -> float:
    """The step that all values are multiples of; 0 if there is none."""
    for steps in STEPS:
        if (np.abs(values - np.round(values * steps) / steps) <= SMALLEST * values).all():
            return 1 / steps
    distinct = np.unique(values)
    if not 2 <= len(distinct) <= STEPS[0]:  # noqa: PLR2004  (a step needs two)
        return 0.0
    step = float(np.diff(distinct).min())
    multiples = distinct / step
    return step if bool((np.abs(multiples - np.round(multiples)) <= OFF).all()) else 0.0


def _regressed(before: Floats, after: Floats, *, rows: bool) -> ProbabilitySlope | None:
    """Least squares on logarithms, over the entries whose probability in the reference is no rounding."""
    if rows:
        kept = before >= SMALLEST
        x, y = (np.log(np.maximum(values, SMALLEST / 100)) for values in (before, after))
        x, y = _about_mean(x, kept), _about_mean(y, kept)
    else:
        kept = (before >= SMALLEST) & (before <= 1 - SMALLEST)
        x, y = (_log_odds(values, SMALLEST / 10) for values in (before, after))
        number = max(1, int(kept.sum()))
        x, y = (np.where(kept, values - (values * kept).sum() / number, 0) for values in (x, y))
    products, squares = (x * y).sum(axis=1), (x * x).sum(axis=1)
    total = float(squares.sum())
    if int((squares > 0).sum()) < FEWEST_ROWS or total == 0:
        return None
    slope = float(products.sum()) / total
    error = math.sqrt(float(((products - slope * squares) ** 2).sum())) / total
    return ProbabilitySlope(slope=slope, error=error, rounded=False)


def _about_mean(values: Floats, kept: NDArray[np.bool_]) -> Floats:
    """Rows about the mean of what is kept, and 0 where not."""
    means = (values * kept).sum(axis=1, keepdims=True) / np.maximum(1, kept.sum(axis=1, keepdims=True))
    moved: Floats = np.where(kept, values - means, 0)
    return moved


def _log_odds(values: Floats, least: float) -> Floats:
    clipped = np.clip(values, least, 1 - least)
    odds: Floats = np.log(clipped) - np.log1p(-clipped)
    return odds


def _fitted(before: Floats, after: Floats, step: float, *, rows: bool) -> ProbabilitySlope | None:
    """The power of the reference's odds, rounded as the candidate's are, that comes nearest to these.

    Gauss and Newton's least squares on the probabilities, whose rounding is as large everywhere: logarithms
    would blow it up where they are small.
    """
    if rows:
        scores = np.log(np.maximum(before, 1e-30))
        scores -= scores.max(axis=1, keepdims=True)
    else:
        scores = _log_odds(before, 1e-12)
    slope, steep = 1.0, _powered(scores, 1.0, rows=rows)[1]
    if int((np.abs(steep).max(axis=1) > step / 2).sum()) < FEWEST_ROWS:
        return None
    # TFLite's largest 8-bit probability is 255/256.
    most = 1 - step if step in (1 / STEPS[0], 1 / STEPS[2]) and after.max() < 1 else float(after.max())
    missed = np.zeros_like(steep)
    for _ in range(ROUNDS):
        expected, steep = _powered(scores, slope, rows=rows)
        missed = after - np.minimum(np.round(expected / step) * step, most)
        total = float((steep * steep).sum())
        if total == 0:
            break
        change = float((steep * missed).sum()) / total
        moved = min(max(slope + change, slope / 2, RANGE[0]), slope * 2, RANGE[1])
        done = abs(moved - slope) < 1e-5  # noqa: PLR2004  (far below any limit)
        slope = moved
        if done:
            break
    total = float((steep * steep).sum())
    error = math.sqrt(float(((steep * missed).sum(axis=1) ** 2).sum())) / total if total else 0.0
    return ProbabilitySlope(slope=slope, error=error, rounded=step > 1e-3)  # noqa: PLR2004  (8 bits)


def _powered(scores: Floats, slope: float, *, rows: bool) -> tuple[Floats, Floats]:
    """Probabilities of scaled scores, and how fast they change with the slope."""
    if not rows:
        shares = 0.5 * (1 + np.tanh(slope * scores / 2))
        return shares, shares * (1 - shares) * scores
    with np.errstate(under="ignore"):
        shares = np.exp(slope * scores)
    shares /= shares.sum(axis=1, keepdims=True)
    return shares, shares * (scores - (shares * scores).sum(axis=1, keepdims=True))
