"""The bootstrap by sample, of statistics that are functions of sums over samples."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1_000
SEED = 20_240_229  # any: fixed, so that a report repeats to the byte
DRAWS_AT_ONCE = 2_000_000  # bounds the memory of a batch: about 16 MB of indices, as much of counts
Floats = NDArray[np.float64]


def resampled_sums(columns: Floats) -> Floats:
    """Sums over samples, drawn anew with replacement.

    B. Efron, R. J. Tibshirani (1993), An Introduction to the Bootstrap, chapters 6 and 13. How often each
    sample was drawn is multiplied with all columns at once, so they stay paired.

    Args:
        columns: (samples, columns), what is summed.

    Returns:
        (1,000, columns): one row a resample, the same for the same columns.
    """
    samples = len(columns)
    generator = np.random.default_rng(SEED)
    # Not a matrix product: its last digits depend on the number of threads.
    by_column = np.ascontiguousarray(columns.T)
    rows = max(1, min(RESAMPLES, DRAWS_AT_ONCE // samples))
    batches = []
    for start in range(0, RESAMPLES, rows):
        size = min(rows, RESAMPLES - start)
        drawn = generator.integers(0, samples, (size, samples), dtype=np.int32)
        drawn += np.arange(size, dtype=np.int32)[:, np.newaxis] * np.int32(samples)
        counts = np.bincount(drawn.ravel(), minlength=size * samples).reshape(size, samples)
        batches.append(np.einsum("rs,ks->rk", counts.astype(np.float64), by_column))
    return np.concatenate(batches)


def percentile_interval(values: NDArray[Any], *, each_side: float) -> tuple[float, float]:
    """Percentile bounds of a resampled statistic, by order statistics, so that infinite values are allowed.

    Args:
        values: (resamples,).
        each_side: share cut off on each side: 0.05 for one-sided 95 % bounds, 0.025 for a 95 % interval.
    """
    low = np.quantile(values, each_side, method="lower")
    high = np.quantile(values, 1 - each_side, method="higher")
    return float(low), float(high)
