"""What the probabilities are worth: KL divergence, calibration error, likelihood and Brier score."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.parity.bootstrap import Floats, percentile_interval, resampled_sums
from export.parity.classes import Answers
from export.verdict import CalibrationShift, MetricShift

BINS = 15
CLIP = 1e-12  # probabilities below it count as this much, so that a rounded 0 does not make the mean infinite
TWO_SIDED = 0.025


def kl_divergence(reference: Floats, candidate: Floats, *, several: bool) -> Floats:
    """KL(reference || candidate) of each sample, in nats; of several labels, the sum over them.

    S. Kullback, R. A. Leibler (1951). Probabilities are clipped at 1e-12, and rows made to sum to 1 again, so
    that those that were rounded, as 8-bit ones are, cannot make it negative.

    Args:
        reference: (samples, classes) probabilities.
        candidate: the same.
        several: the classes are labels, each of them yes or no.
    """
    p, q = _clipped(reference, several=several), _clipped(candidate, several=several)
    divergence = p * np.log(p / q)
    if several:
        divergence += (1 - p) * np.log((1 - p) / (1 - q))
    total: Floats = np.maximum(divergence.sum(axis=1), 0)
    return total


def _clipped(probabilities: Floats, *, several: bool) -> Floats:
    if several:
        return np.clip(probabilities, CLIP, 1 - CLIP)
    clipped: Floats = np.maximum(probabilities, CLIP)
    clipped /= clipped.sum(axis=1, keepdims=True)
    return clipped


def measure_calibration(
    reference: Answers, candidate: Answers, labels: NDArray[np.int64], *, several: bool
) -> CalibrationShift:
    """The shift of three metrics with 95 % paired bootstrap intervals.

    The expected calibration error with bins of equal width is that of M. P. Naeini et al. (2015) and C. Guo
    et al. (2017), on the confidence in the top class; of several labels, on every label's probability. The
    Brier score (G. W. Brier, 1950) is the sum over the classes; of several labels, it and the negative
    log-likelihood are means over them.

    Args:
        reference: its answers, with probabilities.
        candidate: its answers, with probabilities.
        labels: (samples, labels) of classes, or of 0 and 1.
        several: the classes are labels, each of them yes or no.
    """
    both = [_columns(answers, labels, several=several) for answers in (reference, candidate)]
    columns = np.concatenate(both, axis=1)
    width = columns.shape[1] // 2
    observed = columns.sum(axis=0, keepdims=True) / len(labels)
    drawn = resampled_sums(columns) / len(labels)

    def shift(part: slice) -> MetricShift:
        before, after = (np.abs(observed[0, half][part]).sum() for half in halves)
        shifts = np.abs(drawn[:, halves[1]][:, part]).sum(axis=1) - np.abs(drawn[:, halves[0]][:, part]).sum(
            axis=1
        )
        return MetricShift(
            reference=float(before),
            candidate=float(after),
            shift=float(after - before),
            interval=percentile_interval(shifts, each_side=TWO_SIDED),
        )

    halves = (slice(0, width), slice(width, 2 * width))
    return CalibrationShift(ece=shift(slice(2, None)), nll=shift(slice(0, 1)), brier=shift(slice(1, 2)))


def _columns(answers: Answers, labels: NDArray[np.int64], *, several: bool) -> Floats:
    """Each sample's negative log-likelihood, Brier score, and gap of confidence and truth in each bin."""
    shares, confidence = answers.probabilities, answers.confidence
    if shares is None or confidence is None:
        raise ValueError("answers without scores have no calibration")
    if several:
        likelihood = np.where(labels == 1, shares, 1 - shares)
        nll = -np.log(np.maximum(likelihood, CLIP)).mean(axis=1)
        brier = ((shares - labels) ** 2).mean(axis=1)
        gaps = _gaps(shares, labels.astype(np.float64))
    else:
        right = np.take_along_axis(shares, labels, axis=1)
        nll = -np.log(np.maximum(right, CLIP))[:, 0]
        brier = (shares**2).sum(axis=1) - 2 * right[:, 0] + 1
        gaps = _gaps(confidence, (answers.chosen == labels).astype(np.float64))
    return np.column_stack([nll, brier, gaps])


def _gaps(confidence: Floats, truth: NDArray[Any]) -> Floats:
    """(samples, bins): the mean over a sample's labels of confidence minus truth, each in its bin."""
    samples, labels = confidence.shape
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    places = np.arange(samples)[:, np.newaxis] * BINS + bins
    sums = np.bincount(places.ravel(), weights=(confidence - truth).ravel(), minlength=samples * BINS)
    means: Floats = sums.reshape(samples, BINS) / labels
    return means
