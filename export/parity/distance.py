"""How far two arrays lie apart, element by element."""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.verdict import Histogram

LARGEST = sys.float_info.max
FEW_COLUMNS = 16  # more are pixels or an embedding: small ones among them share the others' noise
MOST_COLUMNS = 4096  # a longer last axis is no list of quantities
LOG10_FIRST, LOG10_STEP, BINS = -12.0, 0.5, 32  # 1e-12 to 1e4


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """|Δ| over all samples and elements of an output.

    Attributes:
        max_abs: the largest.
        mean_abs: the mean.
        p999_abs: the 99.9th percentile.
        histogram: how they are spread.
    """

    max_abs: float
    mean_abs: float
    p999_abs: float
    histogram: Histogram


def is_text(values: NDArray[Any]) -> bool:
    """Whether an array holds texts or bytes, which have no distance but equal or not."""
    return values.dtype.kind in "USO"


def measure_distance(reference: NDArray[Any], candidate: NDArray[Any], *, labels: bool) -> Distance:
    """Measure |candidate - reference| in float64; what that cannot hold counts as its largest number.

    Args:
        reference: (samples, ...).
        candidate: the same shape.
        labels: count 0 where they are equal and 1 where not, as classes and texts have no other distance.
    """
    if labels:
        distance = (reference != candidate).astype(np.float64)
    else:
        with np.errstate(over="ignore"):
            distance = np.subtract(candidate, reference, dtype=np.float64)
        np.abs(distance, out=distance)
        np.minimum(distance, LARGEST, out=distance)
    with np.errstate(over="ignore"):
        mean = float(distance.mean())
    return Distance(
        max_abs=float(distance.max()),
        mean_abs=min(mean, LARGEST),
        p999_abs=float(np.quantile(distance, 0.999)),
        histogram=_histogram(distance),
    )


def _histogram(distance: NDArray[np.float64]) -> Histogram:
    positive = distance[distance > 0]
    inner = 10.0 ** (LOG10_FIRST + LOG10_STEP * np.arange(1, BINS))
    counts = np.bincount(np.digitize(positive, inner), minlength=BINS)
    return Histogram(
        zero=int(distance.size - positive.size),
        log10_first=LOG10_FIRST,
        log10_step=LOG10_STEP,
        counts=tuple(counts.tolist()),
    )


def p999(values: NDArray[Any]) -> float:
    """99.9th percentile of |values|."""
    return float(np.quantile(np.abs(values.astype(np.float64)), 0.999))


def columns_of(values: NDArray[Any]) -> int:
    """How many columns the last axis holds, each with a scale of its own; 1 if it is no such list."""
    return values.shape[-1] if values.ndim > 1 and values.shape[-1] <= MOST_COLUMNS else 1


def lower_median(sizes: NDArray[np.float64]) -> float:
    """The middle one of those that are not 0, of two the smaller; 0 if there are none."""
    some = sizes[sizes > 0]
    return float(np.quantile(some, 0.5, method="lower")) if some.size else 0.0


def slope(reference: NDArray[Any], candidate: NDArray[Any]) -> float | None:
    """Least-squares slope of candidate on reference; a scaled kernel shows here before it flips a class.

    Both are first divided by their largest number, so that no square leaves float64.

    Returns:
        None for a constant reference, which has no slope.
    """
    x, y = reference.astype(np.float64).ravel(), candidate.astype(np.float64).ravel()
    x_size, y_size = float(np.abs(x).max()), float(np.abs(y).max())
    if x_size == 0 or x.min() == x.max():
        return None
    if y_size == 0:
        return 0.0
    x /= x_size
    x -= x.mean()
    y /= y_size
    spread = float(np.sum(x * x))  # no dot product: its last digits depend on the number of threads
    if spread == 0:
        return None
    size = min(y_size / x_size, LARGEST)
    return max(-LARGEST, min(LARGEST, float(np.sum(x * y)) / spread * size))
