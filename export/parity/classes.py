"""Outputs that name classes or labels: which answers flip, and what that does to the accuracy."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.parity.bounds import samples_for_drop, samples_for_share, tango_bounds
from export.parity.distance import p999
from export.parity.outputs import sigmoid, softmax, within_zero_and_one
from export.parity.statistics import clopper_pearson, holm, mcnemar_exact, wilson_interval
from export.verdict import (
    AccuracyChange,
    ClassChange,
    ClearFlips,
    Disagreement,
    Flip,
    OutputKind,
    TargetKind,
)

LISTED_FLIPS = 100
LISTED_CLASSES = 100
TIE = 1e-5  # of the scores' size: ten times what converting to another runtime moves them


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a model answers, as classes.

    Attributes:
        chosen: (samples, labels) of classes or texts; one column where a sample has one class.
        confidence: (samples, labels) probability of what was chosen; None without scores.
        probabilities: (samples, classes), for several labels the probability of each; None without scores.
    """

    chosen: NDArray[Any]
    confidence: NDArray[np.float64] | None = None
    probabilities: NDArray[np.float64] | None = None


def read_answers(
    values: NDArray[Any], reference: NDArray[Any], kind: OutputKind, targets: TargetKind | None
) -> Answers:
    """Turn an output into classes.

    Args:
        values: of the model, (samples, ...).
        reference: of the reference; it says whether the threshold is 0.5 or 0.
        kind: of the output.
        targets: what the data say about it.
    """
    rows = values.reshape(len(values), -1)
    if kind is OutputKind.LABELS:
        return Answers(chosen=rows)
    scores = kind is OutputKind.LOGITS
    several = targets is TargetKind.MULTI_LABEL
    if several or rows.shape[1] == 1:
        yes = rows >= threshold(reference)
        share = sigmoid(rows) if scores else np.clip(rows.astype(np.float64), 0, 1)
        return Answers(
            chosen=yes.astype(np.int64),
            confidence=np.where(yes, share, 1 - share),
            probabilities=share if several else np.concatenate([1 - share, share], axis=1),
        )
    chosen = rows.argmax(axis=1)[:, np.newaxis]
    shares = softmax(rows) if scores else np.clip(rows.astype(np.float64), 0, 1)
    return Answers(chosen=chosen, confidence=np.take_along_axis(shares, chosen, axis=1), probabilities=shares)


def measure_disagreement(reference: Answers, candidate: Answers, margin_points: float | None) -> Disagreement:
    """Count the samples with another answer, and bound their share."""
    samples = len(reference.chosen)
    count = int((reference.chosen != candidate.chosen).any(axis=1).sum())
    lower, upper = clopper_pearson(count, samples)
    needed = None
    if margin_points is not None and 100 * lower <= margin_points < 100 * upper:
        needed = samples_for_share(count, samples, margin_points / 100)
    return Disagreement(
        points=100 * count / samples,
        lower_points=100 * lower,
        upper_points=100 * upper,
        margin_points=margin_points,
        reference_answers=len(_distinct(reference.chosen)[0]),
        samples_needed=needed,
    )


def measure_clear_flips(
    reference: Answers, candidate: Answers, values: NDArray[Any], labels: NDArray[np.int64] | None
) -> ClearFlips:
    """Count the flips that rounding does not explain.

    Of two classes, those are ties whose scores in the reference lie within 1e-5 of its size (the larger of
    the row's largest and the 99.9th percentile); of yes and no, a score that lies so near to the threshold.

    Args:
        reference: its answers.
        candidate: its answers.
        values: the reference's scores, (samples, ...).
        labels: (samples, labels) of classes, or of 0 and 1, if known.
    """
    rows = values.reshape(len(values), -1)
    flipped = reference.chosen != candidate.chosen
    places = np.flatnonzero(flipped.any(axis=1))
    scores = rows[places].astype(np.float64)
    if rows.shape[1] > 1 and reference.chosen.shape[1] == 1:
        first, second = (
            np.take_along_axis(scores, answers.chosen[places], axis=1) for answers in (reference, candidate)
        )
        gaps = first / 2 - second / 2  # halves, so that no difference leaves float64
    else:
        gaps = np.where(flipped[places], np.abs(scores - threshold(values)), 0) / 2
    sizes = np.maximum(np.abs(scores).max(axis=1, initial=0), p999(values)) if len(places) else np.zeros(0)
    clear = np.zeros(len(rows), np.bool_)
    clear[places] = gaps.max(axis=1, initial=0) > TIE / 2 * sizes
    count, drop = int(clear.sum()), None
    if labels is not None:
        before, after = ((answers.chosen == labels).all(axis=1) for answers in (reference, candidate))
        worse, better = int((before & ~after & clear).sum()), int((~before & after & clear).sum())
        drop = 100 * tango_bounds(worse, better, len(rows))[0]
    return ClearFlips(
        count=count, lower_points=100 * clopper_pearson(count, len(rows))[0], drop_lower_points=drop
    )


def threshold(reference: NDArray[Any]) -> float:
    """From where on a score says yes: 0.5 for probabilities, else 0."""
    return 0.5 if within_zero_and_one(reference) else 0.0


def list_flips(
    reference: Answers, candidate: Answers, labels: NDArray[np.int64] | None, *, several: bool
) -> tuple[Flip, ...]:
    """The first hundred answers that differ."""
    places = np.argwhere(reference.chosen != candidate.chosen)[:LISTED_FLIPS]
    return tuple(
        Flip(
            index=row,
            position=column if several else None,
            reference=_plain(reference.chosen[row, column]),
            candidate=_plain(candidate.chosen[row, column]),
            label=None if labels is None else int(labels[row, column]),
            reference_confidence=_confidence(reference, row, column),
            candidate_confidence=_confidence(candidate, row, column),
        )
        for row, column in places.tolist()
    )


def measure_accuracy(
    reference: Answers, candidate: Answers, labels: NDArray[np.int64], margin_points: float | None
) -> AccuracyChange:
    """Compare the right and wrong answers of both, sample by sample.

    Args:
        reference: its answers.
        candidate: its answers.
        labels: (samples, labels) of classes, or of 0 and 1.
        margin_points: the drop that the tier allows.
    """
    samples = len(labels)
    before = (reference.chosen == labels).all(axis=1)
    after = (candidate.chosen == labels).all(axis=1)
    worse, better = int((before & ~after).sum()), int((~before & after).sum())
    lower, upper = tango_bounds(worse, better, samples)
    needed = None
    if margin_points is not None and 100 * lower <= margin_points < 100 * upper:
        needed = samples_for_drop(worse, better, samples, margin_points / 100)
    return AccuracyChange(
        reference=float(before.mean()),
        reference_interval=wilson_interval(int(before.sum()), samples),
        candidate=float(after.mean()),
        candidate_interval=wilson_interval(int(after.sum()), samples),
        constant=float(_distinct(labels)[1].max() / samples),
        worse=worse,
        better=better,
        drop_points=100 * (worse - better) / samples,
        drop_lower_points=100 * lower,
        drop_upper_points=100 * upper,
        margin_points=margin_points,
        mcnemar_p=mcnemar_exact(worse, better),
        samples_needed=needed,
    )


def measure_classes(
    reference: Answers, candidate: Answers, labels: NDArray[np.int64], *, several: bool
) -> tuple[ClassChange, ...]:
    """The changes of each class, or of each of several labels, with Holm's correction for their number."""
    before, after = reference.chosen == labels, candidate.chosen == labels
    worse, better = before & ~after, ~before & after
    if several:
        indices = np.arange(labels.shape[1])
        sizes = np.full(len(indices), len(labels))
        lost, won = worse.sum(axis=0), better.sum(axis=0)
    else:
        indices, inverse = np.unique(labels[:, 0], return_inverse=True)
        sizes = np.bincount(inverse)
        lost = np.bincount(inverse, weights=worse[:, 0]).astype(np.int64)
        won = np.bincount(inverse, weights=better[:, 0]).astype(np.int64)
    counts = list(zip(indices.tolist(), sizes.tolist(), lost.tolist(), won.tolist(), strict=True))
    p_values = [mcnemar_exact(down, up) for _, _, down, up in counts]
    changes = [
        ClassChange(index=index, samples=size, worse=down, better=up, mcnemar_p=p, holm_p=corrected)
        for (index, size, down, up), p, corrected in zip(counts, p_values, holm(p_values), strict=True)
        if down or up
    ]
    changes.sort(key=lambda change: (change.mcnemar_p, change.index))
    return tuple(sorted(changes[:LISTED_CLASSES], key=lambda change: change.index))


def _distinct(rows: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The different rows, and how often each occurs."""
    if rows.dtype.kind == "O":  # texts and bytes have no order among each other
        rows = np.array([[repr(row.tolist())] for row in rows])
    distinct, counts = np.unique(rows if rows.shape[1] > 1 else rows[:, 0], axis=0, return_counts=True)
    return distinct, counts.astype(np.int64)


def _plain(value: Any) -> int | str:  # noqa: ANN401  (a numpy scalar of any type, or a text)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value if isinstance(value, str) else int(value)


def _confidence(answers: Answers, row: int, column: int) -> float | None:
    return None if answers.confidence is None else float(answers.confidence[row, column])
