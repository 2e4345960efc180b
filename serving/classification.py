"""Triton's classification extension: the highest values of each row, with their indices and labels.

An output that is asked for so comes as BYTES, [rows, k], elements `<value>:<index>` or
`<value>:<index>:<label>`, highest first. The index counts all elements of a row, whatever its shape.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.manifest import DATATYPES, Manifest
from export.runner import Answer
from serving.errors import InvalidTensor, quoted
from serving.signature import CLASS_SCORES

# In one answer: each takes the server a microsecond or two.
MAX_CLASSES = 1 << 16


def select(answer: Answer, wanted: Mapping[str, int], manifest: Manifest) -> Answer:
    """What a client asked for of a model's answer.

    Args:
        answer: all of the model's outputs.
        wanted: output name to how many classes, 0 for plain values; empty for all outputs as they are.
        manifest: of the model.

    Raises:
        InvalidTensor: classes of what has none, or too many of them.
    """
    if not wanted:
        return answer
    labels = {tensor.name: manifest.labels for tensor in manifest.outputs if tensor.meaning in CLASS_SCORES}
    chosen: Answer = {}
    for name, k in wanted.items():
        try:
            chosen[name] = classify(answer[name], k, labels.get(name, ())) if k else answer[name]
        except InvalidTensor as error:
            raise InvalidTensor(f"classes of output {quoted(name)} were asked for: {error}") from error
    return chosen


def classify(array: NDArray[Any], k: int, labels: Sequence[str]) -> NDArray[np.object_]:
    """The k highest values of each row: equal ones by their index, NaN last.

    Args:
        array: numbers, [rows, ...].
        k: how many, at least 1; all if the rows are shorter.
        labels: one for each element of a row; any other number of them are no labels of these.

    Returns:
        Texts, [rows, k].

    Raises:
        InvalidTensor: the array holds no numbers, or more classes would come than one answer may hold.
    """
    if array.dtype.kind in "bO":
        raise InvalidTensor("it holds no numbers, expected its values to be asked for")
    # Partitioning knows numpy's own types alone; FP32 holds every FP16 and BF16.
    small = array.dtype in (DATATYPES["FP16"], DATATYPES["BF16"])
    length = math.prod(array.shape[1:])
    rows = (array.astype(np.float32) if small else array).reshape(len(array), length)
    count = min(k, length)
    if count * len(rows) > MAX_CLASSES:
        raise InvalidTensor(
            f"{count} of {len(rows)} rows are too many, expected at most {MAX_CLASSES} in all"
        )
    form = "%f" if rows.dtype.kind == "f" else "%d"
    named = labels if len(labels) == length else ()
    texts = np.empty((len(rows), count), np.object_)
    for place, row in enumerate(rows):
        indices = _highest(row, count)
        for rank, (index, value) in enumerate(zip(indices.tolist(), row[indices].tolist(), strict=True)):
            texts[place, rank] = f"{form % value}:{index}" + (f":{named[index]}" if named else "")
    return texts


def _highest(row: NDArray[Any], count: int) -> NDArray[np.intp]:
    """Where the highest values are; as only they are sorted, long rows are quick."""
    if count == 0:
        return np.empty(0, np.intp)
    missing = np.isnan(row)
    ranked = np.where(missing, -np.inf, row) if missing.any() else row
    threshold = np.partition(ranked, len(row) - count)[len(row) - count]
    # In falling order of index, which a stable sort turns into the rising one when its result is reversed.
    found = np.flatnonzero(ranked >= threshold)[::-1]
    return found[np.lexsort((ranked[found], ~missing[found]))[::-1]][:count]
