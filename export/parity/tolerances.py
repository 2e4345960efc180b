"""The largest |Δ| that a tier allows: of a whole output, and of each column that has a scale of its own."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.parity.distance import FEW_COLUMNS, LARGEST, columns_of, lower_median, p999
from export.parity.rules import Limits
from export.verdict import ColumnDistance, OutputKind, TargetKind

PEAK = 0.1  # of the tolerance, times the largest number: where that is rare, as in sparse outputs
CANCELLED = 1e-6  # of the middle column: small numbers may be differences of such
CANCELLED_SMALL = 1e-5  # of the middle column, up to 1
EMPTY = 1e-6  # of the whole output: what may stand in a column that is 0 throughout


def whole_tolerance(kind: OutputKind, reference: NDArray[Any], limits: Limits) -> float | None:
    """What holds for every element of an output.

    Scores share a scale, and where a tier says so, one below 1 counts as it is.
    """
    if kind is OutputKind.LABELS:
        return 0.0 if limits.exact_labels else None
    if kind is OutputKind.PROBABILITIES:
        return limits.probability_delta
    if limits.delta is None:
        return None
    size = p999(reference)
    tolerance = limits.delta * max(1.0, size)
    if kind is not OutputKind.LOGITS or not limits.any_scale:
        return tolerance
    largest = float(np.abs(reference.astype(np.float64)).max())
    return tolerance if largest == 0 else min(tolerance, limits.delta * max(size, PEAK * largest))


def worst_column(
    reference: NDArray[Any],
    candidate: NDArray[Any],
    kind: OutputKind,
    targets: TargetKind | None,
    limits: Limits,
) -> ColumnDistance | None:
    """The column that comes nearest to its tolerance, or lies furthest beyond it.

    Returns:
        None where columns are not held to scales of their own: rows of one class, or no tolerance at all.
    """
    alone = kind is OutputKind.VALUES or (kind is OutputKind.LOGITS and targets is TargetKind.MULTI_LABEL)
    # Without targets, rows of numbers may be scores or quantities: the strictest tier takes them for both.
    unknown = kind is OutputKind.LOGITS and targets is None and limits.any_scale
    if limits.delta is None or not (alone or unknown):
        return None
    count = columns_of(reference)
    sizes = np.abs(reference.astype(np.float64)).reshape(-1, count)
    with np.errstate(over="ignore"):
        distance = np.subtract(candidate, reference, dtype=np.float64)
    largest_distance = np.minimum(np.abs(distance), LARGEST).reshape(-1, count).max(axis=0)
    tolerances = _column_tolerances(sizes, limits.delta, any_scale=limits.any_scale, scores=unknown)
    with np.errstate(over="ignore"):
        worst = int(np.argmax(largest_distance / tolerances))
    return ColumnDistance(
        column=worst if count > 1 else None,
        max_abs=float(largest_distance[worst]),
        tolerance=float(tolerances[worst]),
    )


def _column_tolerances(
    sizes: NDArray[np.float64], delta: float, *, any_scale: bool, scores: bool
) -> NDArray[np.float64]:
    usual, largest = np.quantile(sizes, 0.999, axis=0), sizes.max(axis=0)
    whole = float(np.quantile(sizes, 0.999))
    scales = np.maximum(usual, PEAK * largest)
    if not any_scale:
        return np.asarray(np.minimum(delta * max(1.0, whole), delta * np.maximum(1.0, scales)), np.float64)
    middle = lower_median(scales)
    if middle == 0:
        return np.full(len(scales), delta)
    floor = max(CANCELLED * middle, CANCELLED_SMALL * (middle if scores else min(1.0, middle)))
    if sizes.shape[1] > FEW_COLUMNS:  # their noise is that of the whole
        floor = max(floor, CANCELLED_SMALL * whole)
    if sizes.shape[1] == 1:
        floor = 0.0
    tolerances = np.maximum(delta * scales, floor)
    tolerances[largest == 0] = max(floor, EMPTY * whole)
    return np.asarray(np.minimum(delta * max(1.0, whole), tolerances), np.float64)
