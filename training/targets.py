"""From the `y` arrays of a source to classes or values."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import DatasetError
from training.samples import Samples, Task

CLASS_LIMIT = 100_000  # beyond it the numbers are identifiers or values, not classes


def infer_task(source: str, arrays: Mapping[str, NDArray[Any]], split: str) -> Task:
    """Whole numbers in one dimension are classes, floats regression.

    Raises:
        DatasetError: neither.
    """
    name, y = f"y_{split}", arrays[f"y_{split}"]
    if y.ndim == 2 and y.shape[1] > 1 and _is_zero_or_one(y):  # noqa: PLR2004  (a matrix)
        raise DatasetError(
            f"{source}: {name} {y.shape} holds only 0 and 1, which is one-hot or multi-label: "
            f"turn one-hot into class indices ({name}.argmax(1)); multi-label cannot be learnt yet"
        )
    if y.dtype.kind in "biu" and _is_one_column(y):
        return Task.CLASSIFICATION
    if y.dtype.kind == "f":
        return Task.REGRESSION
    raise DatasetError(
        f"{source}: {name} is {y.dtype} {y.shape}: give one whole-number class index a sample, "
        "or floats (or the task) for regression"
    )


def convert_targets(source: str, arrays: Mapping[str, NDArray[Any]], split: str, task: Task) -> NDArray[Any]:
    """Class indices (samples,) int64, or values (samples, values) float32.

    Raises:
        DatasetError: the array cannot be that.
    """
    name, y = f"{source}: y_{split}", arrays[f"y_{split}"]
    if y.dtype.kind not in "biuf" or y.ndim not in (1, 2):
        raise DatasetError(f"{name} is {y.dtype} {y.shape}: give one number a sample, or a row of them")
    if y.size == 0:
        raise DatasetError(f"{name} is empty: add samples")
    if task is Task.REGRESSION:
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes Inf, and that is refused
            return y.reshape(len(y), -1).astype(np.float32)
    if not _is_one_column(y) or (y.dtype.kind == "f" and not np.array_equal(y, np.trunc(y))):
        raise DatasetError(f"{name} is {y.dtype} {y.shape}: give one whole-number class index a sample")
    if y.min() < 0 or y.max() >= CLASS_LIMIT:
        raise DatasetError(
            f"{name} holds classes {y.min()} to {y.max()}: number them from 0, at most {CLASS_LIMIT:,}; "
            "if they are values, make them floats"
        )
    return y.reshape(-1).astype(np.int64)


def class_labels(source: str, names: tuple[str, ...] | None, splits: Sequence[Samples]) -> tuple[str, ...]:
    """The names of the classes, or their numbers as texts.

    Raises:
        DatasetError: fewer names than classes, or one twice.
    """
    count = max(int(split.y.max()) for split in splits) + 1
    if names is None:
        return tuple(str(index) for index in range(count))
    if len(names) < count or len(set(names)) < len(names):
        raise DatasetError(
            f"{source}: {len(set(names))} different labels for {count} classes: give each class its own"
        )
    return names


def _is_one_column(y: NDArray[Any]) -> bool:
    return y.ndim == 1 or y.shape[1:] == (1,)


def _is_zero_or_one(y: NDArray[Any]) -> bool:
    return y.dtype.kind in "biuf" and bool(((y == 0) | (y == 1)).all())
