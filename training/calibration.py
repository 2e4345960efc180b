"""How far a classifier's confidence can be believed, as a PNG file."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.canvas import RIGHT, WRONG, to_png
from training.metrics import wilson_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 15  # as in the source of the formula


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Predictions by confidence, the probability of the predicted class; (bins,) arrays.

    Attributes:
        counts: samples in each bin.
        correct: those with a right answer.
        confidences: the samples' mean confidence, 0 to 1; 0 in an empty bin.
        accuracies: the share of right answers, 0 to 1; 0 in an empty bin.
        error: the expected calibration error, 0 to 1.
    """

    counts: NDArray[np.int64]
    correct: NDArray[np.int64]
    confidences: NDArray[np.float64]
    accuracies: NDArray[np.float64]
    error: float


def calibrate(probabilities: NDArray[Any], labels: NDArray[np.int64], *, bins: int = BINS) -> Calibration:
    """Sort predictions into bins of equal width and compare confidence with accuracy.

    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger (2017), On Calibration of Modern Neural Networks, ICML, eq. 3:
    the expected calibration error is the mean over the samples of their bin's |accuracy - confidence|. A
    confidence on the border of two bins belongs to the lower one.

    Args:
        probabilities: (samples, classes), at least one sample.
        labels: (samples,) class indices.
        bins: how many.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    places = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(places, minlength=bins)
    correct = np.bincount(places[right], minlength=bins)
    divisors = np.maximum(counts, 1)
    confidences = np.bincount(places, weights=confidence, minlength=bins) / divisors
    accuracies = correct / divisors
    error = float((counts * np.abs(accuracies - confidences)).sum() / len(labels))
    return Calibration(
        counts=counts, correct=correct, confidences=confidences, accuracies=accuracies, error=error
    )


def reliability_diagram(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> bytes:
    """Draw accuracy over confidence on the validation split, and how many samples each bin holds.

    Args:
        probabilities: (samples, classes), at least one sample.
        labels: (samples,) class indices.

    Returns:
        A PNG file's content.
    """
    from matplotlib.figure import Figure

    calibration = calibrate(probabilities, labels)
    figure = Figure(figsize=(6.5, 6.5), layout="constrained")
    figure.suptitle(
        f"Calibration on the validation split, {len(labels):,} samples\n"
        f"expected calibration error (ECE) {100 * calibration.error:.2f} points, {BINS} bins",
        fontsize=11,
    )
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    _draw_accuracies(upper, calibration)
    _draw_counts(lower, calibration)
    return to_png(figure)


def _draw_accuracies(axes: "Axes", calibration: Calibration) -> None:
    filled = np.flatnonzero(calibration.counts)
    accuracies, confidences = calibration.accuracies[filled], calibration.confidences[filled]
    ends = [wilson_interval(int(calibration.correct[bin_]), int(calibration.counts[bin_])) for bin_ in filled]
    lengths = np.abs(np.array(ends).T - accuracies)
    axes.bar((filled + 0.5) / BINS, accuracies, width=0.94 / BINS, color=RIGHT, alpha=0.3, label="accuracy")
    axes.errorbar(
        confidences,
        accuracies,
        yerr=lengths,
        fmt="o",
        color=RIGHT,
        markersize=4,
        capsize=2,
        label="at the mean confidence, with the 95 % interval",
    )
    axes.plot([0, 1], [0, 1], color=WRONG, linestyle="--", linewidth=1, label="perfectly calibrated")
    axes.set(ylabel="accuracy", xlim=(0, 1.01), ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", fontsize=8)


def _draw_counts(axes: "Axes", calibration: Calibration) -> None:
    centres = (np.arange(BINS) + 0.5) / BINS
    bars = axes.bar(centres, calibration.counts, width=0.94 / BINS, color=RIGHT, alpha=0.6)
    axes.bar_label(
        bars, [f"{count:,}" if count else "" for count in calibration.counts], fontsize=7, padding=1
    )
    axes.set_yscale("log")
    axes.set(xlabel="confidence: probability of the predicted class", ylabel="samples")
    axes.set_ylim(0.7, 4 * calibration.counts.max())
    axes.grid(axis="y", alpha=0.3)
