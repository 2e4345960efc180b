"""What a classifier's probabilities are worth, with intervals."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.record import Metrics

Z95 = 1.959963984540054  # two-sided 95 % quantile of the normal distribution


def wilson_interval(successes: int, trials: int, *, z: float = Z95) -> tuple[float, float]:
    """Score interval of a proportion (E. B. Wilson, 1927, J. Am. Stat. Assoc. 22, 209-212).

    Args:
        successes: 0 to trials.
        trials: at least 1.
        z: normal quantile, 1.96 for 95 %.

    Returns:
        Lower and upper end, 0 to 1.
    """
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def classification_metrics(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> Metrics:
    """Accuracy and negative log-likelihood.

    Args:
        probabilities: (samples, classes), rows sum to 1.
        labels: (samples,) class indices.
    """
    samples = len(labels)
    correct = int((probabilities.argmax(axis=1) == labels).sum())
    low, high = wilson_interval(correct, samples)
    chosen = probabilities[np.arange(samples), labels].astype(np.float64)
    return Metrics(
        samples=samples,
        correct=correct,
        accuracy=correct / samples,
        accuracy_low=low,
        accuracy_high=high,
        loss=float(-np.log(np.maximum(chosen, np.finfo(np.float32).tiny)).mean()),
    )


def regression_metrics(values: NDArray[Any], targets: NDArray[Any]) -> Metrics:
    """Root mean squared and mean absolute error.

    Args:
        values: (samples, values), the model's.
        targets: the same shape.
    """
    distance = values.astype(np.float64) - targets
    squared = float((distance**2).mean())
    return Metrics(
        samples=len(targets), loss=squared, rmse=math.sqrt(squared), mae=float(np.abs(distance).mean())
    )
