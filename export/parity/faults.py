"""What makes answers, or the data that they are held to, unusable: each of these is a failure."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.formats import Tier
from export.parity.distance import is_text
from export.parity.outputs import same_head
from export.verdict import TargetKind

NUMBERS = "biuf"


def find_fault(
    reference: Mapping[str, NDArray[Any]], candidate: Mapping[str, NDArray[Any]], tier: Tier
) -> str | None:
    """The first thing that makes answers impossible to compare, in one line.

    In the quantized tier an output may be missing if another holds the same, as 8-bit files leave out
    probabilities beside their logits.
    """
    if not reference or not candidate:
        return "there are no outputs to compare"
    scalar = [name for name, values in (*reference.items(), *candidate.items()) if values.ndim == 0]
    if scalar:
        return f"output {scalar[0]} is a single number without samples"
    sizes = {len(values) for values in reference.values()}
    if len(sizes) > 1:
        return f"the reference's outputs hold {' and '.join(map(str, sorted(sizes)))} samples"
    if sizes == {0}:
        return "there are no samples to compare"
    faults = (_output_fault(name, reference.get(name), values) for name, values in candidate.items())
    first = next((fault for fault in faults if fault is not None), None)
    return first or _missing(reference, candidate, tier)


def _missing(
    reference: Mapping[str, NDArray[Any]], candidate: Mapping[str, NDArray[Any]], tier: Tier
) -> str | None:
    lost = [
        name
        for name in sorted(set(reference) - set(candidate))
        if tier is not Tier.QUANTIZED
        or not any(same_head(reference[name], reference[other]) for other in candidate)
    ]
    return f"outputs are missing: {', '.join(lost)}" if lost else None


def _output_fault(name: str, expected: NDArray[Any] | None, values: NDArray[Any]) -> str | None:
    if expected is None:
        return f"output {name} is not one of the reference's"
    if values.shape != expected.shape:
        return f"output {name} has shape {values.shape}, the reference {expected.shape}"
    texts = is_text(values) and values.dtype.kind == expected.dtype.kind  # their dtype holds a length
    if values.dtype != expected.dtype and not texts:
        return f"output {name} is {values.dtype}, the reference {expected.dtype}"
    if values.size == 0:
        return f"output {name} of shape {values.shape} holds nothing"
    for who, array in (("the reference", expected), ("the candidate", values)):
        fault = _content_fault(array)
        if fault is not None:
            return f"output {name} of {who} {fault}"
    return None


def _content_fault(array: NDArray[Any]) -> str | None:
    if array.dtype.kind == "O" and not all(isinstance(value, str | bytes) for value in array.flat):
        return "holds objects, neither numbers nor texts"
    if is_text(array):
        return None
    if array.dtype.kind not in NUMBERS:
        return f"is {array.dtype}, which parity cannot compare"
    return None if np.isfinite(array).all() else "holds NaN or Inf"


def find_target_fault(name: str, values: NDArray[Any], kind: TargetKind, targets: NDArray[Any]) -> str | None:
    """What makes an output impossible to hold to its targets, in one line.

    Args:
        name: of the output.
        values: the reference's.
        kind: of the targets.
        targets: what the data say.
    """
    content = "holds texts" if is_text(targets) else _content_fault(targets)
    if content is not None:
        return f"the array of targets for {name} {content}"
    if is_text(values):
        return f"output {name} holds texts, its targets numbers"
    match kind:
        case TargetKind.CLASS:
            return _class_fault(name, values, targets)
        case TargetKind.MULTI_LABEL:
            return _labels_fault(name, values, targets)
        case TargetKind.VALUES:
            if trimmed(targets) != trimmed(values):
                return f"the targets of {name} have shape {targets.shape}, the output {values.shape}"
    return None


def _labels_fault(name: str, values: NDArray[Any], targets: NDArray[Any]) -> str | None:
    if targets.shape != values.shape or values.ndim != 2:  # noqa: PLR2004  (a matrix)
        return f"the labels of {name} have shape {targets.shape}, the output {values.shape}"
    if not ((targets == 0) | (targets == 1)).all():
        return f"the labels of {name} hold other numbers than 0 and 1"
    return None


def _class_fault(name: str, values: NDArray[Any], targets: NDArray[Any]) -> str | None:
    samples = len(values)
    if targets.shape not in ((samples,), (samples, 1)):
        return f"the labels of {name} have shape {targets.shape}, not one class for each of {samples} samples"
    if targets.dtype.kind == "f":
        return f"the labels of {name} are {targets.dtype}, not class indices"
    if values.ndim > 2:  # noqa: PLR2004  (a matrix)
        return f"output {name} of shape {values.shape} holds no score a class for its labels"
    one_each = values.size == samples
    if one_each and values.dtype.kind != "f":
        return None
    classes = 2 if one_each else values.shape[1]
    low, high = int(targets.min()), int(targets.max())
    if low < 0 or high >= classes:
        return f"the labels of {name} are {low} to {high}, the output tells {classes} classes apart"
    return None


def trimmed(array: NDArray[Any]) -> tuple[int, ...]:
    """An array's shape without trailing dimensions of 1 after that of the samples."""
    shape = array.shape
    while len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    return shape
