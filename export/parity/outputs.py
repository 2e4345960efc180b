"""What an output is: read from its values, its neighbours, and what the data say about it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.parity.distance import is_text
from export.verdict import OutputKind, TargetKind

SAME_PROBABILITY = 1e-3  # float16 probabilities differ by less from those computed from their logits


def meaning(values: NDArray[Any]) -> OutputKind:
    """What an output is if nothing but its values is known.

    Float rows of at least two columns are `probabilities` if every row sums to 1, else `logits`: scores of
    classes. One text, truth value or whole number a sample is `labels`, anything else `values`.
    """
    one_each = values.size == len(values)
    if is_text(values) or values.dtype.kind == "b" or (values.dtype.kind in "iu" and one_each):
        return OutputKind.LABELS
    if values.ndim != 2 or values.shape[1] < 2 or values.dtype.kind != "f" or len(values) == 0:  # noqa: PLR2004
        return OutputKind.VALUES
    wide = values.astype(np.float64, copy=False)
    with np.errstate(over="ignore"):
        if wide.min() >= 0 and np.allclose(wide.sum(axis=1), 1, atol=SAME_PROBABILITY):
            return OutputKind.PROBABILITIES
    return OutputKind.LOGITS


def output_kind(values: NDArray[Any], targets: TargetKind | None) -> OutputKind:
    """What an output is, given what the data say about it.

    Scores of a binary head, or of several labels, are probabilities if all of them lie in 0..1.
    """
    if targets is TargetKind.VALUES:
        return OutputKind.VALUES
    kind = meaning(values)
    if targets is None or kind in (OutputKind.LABELS, OutputKind.PROBABILITIES):
        return kind
    if targets is TargetKind.CLASS and values.ndim == 2 and values.shape[1] > 1:  # noqa: PLR2004  (a matrix)
        return OutputKind.LOGITS
    return OutputKind.PROBABILITIES if within_zero_and_one(values) else OutputKind.LOGITS


def within_zero_and_one(values: NDArray[Any]) -> bool:
    """Whether all values could be probabilities."""
    return bool(values.min() >= 0 and values.max() <= 1)


def softmax(scores: NDArray[Any]) -> NDArray[np.float64]:
    """Probabilities of classes from their logits, along the last axis."""
    wide = scores.astype(np.float64)
    with np.errstate(over="ignore", under="ignore"):
        wide -= wide.max(axis=-1, keepdims=True)
        np.exp(wide, out=wide)
    wide /= wide.sum(axis=-1, keepdims=True)
    return wide


def sigmoid(scores: NDArray[Any]) -> NDArray[np.float64]:
    """The probability of yes from its logit, element by element."""
    return 0.5 * (1 + np.tanh(scores.astype(np.float64) / 2))


def same_head(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two outputs say the same: one equals the other, or is its softmax or its sigmoid."""
    if one.shape != other.shape or one.dtype.kind != "f" or other.dtype.kind != "f" or one.ndim not in (1, 2):
        return one.shape == other.shape and one.dtype == other.dtype and bool((one == other).all())
    functions = (softmax, sigmoid) if one.ndim == 2 and one.shape[1] > 1 else (sigmoid,)  # noqa: PLR2004
    return np.array_equal(one, other) or any(
        within_zero_and_one(probabilities)
        and any(_close(function(scores), probabilities) for function in functions)
        for scores, probabilities in ((one, other), (other, one))
    )


def _close(one: NDArray[np.float64], other: NDArray[Any]) -> bool:
    return bool(np.allclose(one, other.astype(np.float64), rtol=0, atol=SAME_PROBABILITY))


def deciding_output(
    reference: Mapping[str, NDArray[Any]], candidate: Mapping[str, NDArray[Any]]
) -> str | None:
    """The output whose largest entry is the class: logits where there are any, else probabilities.

    Of several logits, those that the probabilities are computed from, then those with `logit` in their name,
    then the first by name.

    Returns:
        None if no output holds scores of classes.
    """
    kinds = {name: meaning(reference[name]) for name in sorted(candidate)}
    probabilities = [name for name, kind in kinds.items() if kind is OutputKind.PROBABILITIES]
    logits = [name for name, kind in kinds.items() if kind is OutputKind.LOGITS]
    if len(logits) < 2:  # noqa: PLR2004  (no choice)
        return next(iter(logits or probabilities), None)

    def rank(name: str) -> tuple[bool, bool]:
        known = any(same_head(reference[name], reference[other]) for other in probabilities)
        return not known, "logit" not in name.lower()

    return min(logits, key=rank)
