"""Outputs of values: how much larger the error becomes, or how far the candidate strays."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.parity.bootstrap import Floats, percentile_interval, resampled_sums
from export.parity.bounds import samples_for_width
from export.parity.distance import LARGEST
from export.verdict import ErrorChange

ONE_SIDED = 0.05
FEWEST_SAMPLES = 30  # below it the percentile bounds of a bootstrap are far too narrow to decide on


def measure_error(
    reference: NDArray[Any],
    candidate: NDArray[Any],
    targets: NDArray[Any] | None,
    limit_percent: float | None,
) -> ErrorChange:
    """The relative increase of the root mean squared error; without targets, the relative distance.

    The relative distance is RMS(candidate - reference) / RMS(reference - its mean over the samples, element
    by element): the inverse of a signal-to-noise ratio. Bounds are percentiles of a bootstrap by sample, in
    which those means stay as they are.

    Args:
        reference: (samples, ...).
        candidate: the same shape.
        targets: the same shape, if known.
        limit_percent: what the tier allows.
    """
    arrays = (reference, candidate) if targets is None else (reference, candidate, targets)
    flat = [array.reshape(len(array), -1).astype(np.float64) for array in arrays]
    # Squares of the largest numbers leave float64; a common scale does not change any ratio.
    scale = max(float(np.abs(array).max()) for array in flat) or 1.0
    before, after, *truth = (array / scale for array in flat)
    if truth:
        squares = [(before - truth[0]) ** 2, (after - truth[0]) ** 2, _centred(truth[0]) ** 2]
    else:
        squares = [_centred(before) ** 2, (after - before) ** 2]
    columns = np.column_stack([square.mean(axis=1) for square in squares])
    unchanged = 1.0 if truth else 0.0
    increase = float(_increase(columns.sum(axis=0, keepdims=True), unchanged)[0])
    resampled = _increase(resampled_sums(columns[:, :2]), unchanged)
    lower, upper = percentile_interval(resampled, each_side=ONE_SIDED)
    first, second, *constant = (
        min(math.sqrt(mean) * scale, LARGEST) for mean in columns.mean(axis=0).tolist()
    )
    return ErrorChange(
        metric="rmse" if truth else "relative distance",
        reference=first,
        candidate=second,
        constant=constant[0] if constant else None,
        increase_percent=_percent(increase),
        increase_lower_percent=_percent(lower),
        increase_upper_percent=_percent(upper),
        limit_percent=limit_percent,
        samples_needed=_samples_needed(100 * increase, 100 * lower, 100 * upper, len(columns), limit_percent),
    )


def _centred(values: Floats) -> Floats:
    """Values about their mean; exactly 0 for a constant, whose mean alone would be rounded."""
    moved = values - values[0]
    centred: Floats = moved - moved.mean(axis=0)
    return centred


def _increase(sums: Floats, unchanged: float) -> Floats:
    """Root of the ratio of the second column to the first, above that of an unchanged model."""
    first, second = sums[:, 0], sums[:, 1]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.sqrt(second / first)
    ratio[(first == 0) & (second == 0)] = unchanged
    return ratio - unchanged


def _percent(share: float) -> float | None:
    return 100 * share if math.isfinite(100 * share) else None


def _samples_needed(
    increase: float, lower: float, upper: float, samples: int, limit: float | None
) -> int | None:
    if limit is None:
        return None
    if samples >= FEWEST_SAMPLES and (upper <= limit or lower > limit):
        return None
    bound = upper if increase < limit else lower
    if not math.isfinite(bound) or not math.isfinite(increase):
        return None
    needed = samples_for_width(increase, bound, samples, limit)
    return None if needed is None else max(needed, FEWEST_SAMPLES)
