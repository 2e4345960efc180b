"""From the `y` arrays of a source to classes, labels or values."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import DatasetError
from training.samples import Task

CLASS_LIMIT = 100_000  # beyond it the numbers are identifiers or values, not classes


def infer_task(where: str, y: NDArray[Any]) -> Task:
    """Whole numbers in one dimension are classes, a 0/1 matrix of them is multi-label, floats regression.

    Args:
        where: source and name of the array, for the message.
        y: (samples, ...).

    Raises:
        DatasetError: none of them, or it cannot be told.
    """
    if y.dtype.kind in "biu" and _is_one_column(y):
        return Task.CLASSIFICATION
    if y.ndim == 2 and _is_zero_or_one(y) and not _is_one_column(y):  # noqa: PLR2004  (a matrix)
        if y.dtype.kind == "f":
            raise DatasetError(
                f"{where} {y.shape} holds only 0 and 1 as floats: turn one-hot targets into class indices "
                "(y.argmax(1)), multi-label ones into whole numbers, or say the task (--task)"
            )
        return Task.MULTI_LABEL
    if y.dtype.kind == "f":
        return Task.REGRESSION
    raise DatasetError(
        f"{where} is {y.dtype} {y.shape}: give one whole-number class index a sample, "
        "a 0/1 matrix for multi-label, or floats (or the task) for regression"
    )


def convert_targets(where: str, y: NDArray[Any], task: Task) -> NDArray[Any]:
    """Class indices (samples,) int64; labels (samples, labels) uint8; or values (samples, values) float32.

    Values in more dimensions keep their shape.

    Raises:
        DatasetError: the array cannot be that.
    """
    if y.dtype.kind not in "biuf" or y.ndim == 0:
        raise DatasetError(f"{where} is {y.dtype} {y.shape}: give one number a sample, or several")
    if y.size == 0:
        raise DatasetError(f"{where} is empty: add samples")
    match task:
        case Task.CLASSIFICATION:
            return _classes(where, y)
        case Task.MULTI_LABEL:
            return _labels(where, y)
        case Task.REGRESSION:
            with np.errstate(over="ignore"):  # what float32 cannot hold becomes Inf, and that is refused
                return (y[:, np.newaxis] if y.ndim == 1 else y).astype(np.float32)


def name_values(
    where: str, names: tuple[str, ...] | None, task: Task, splits: Sequence[NDArray[Any]]
) -> tuple[str, ...]:
    """The names of the classes or labels, or their numbers as texts; none for regression.

    Args:
        where: source and name of the target, for the message.
        names: the source's own.
        task: what the target is.
        splits: its converted values in each split.

    Raises:
        DatasetError: fewer names than classes, another number than labels, or one twice.
    """
    if task is Task.REGRESSION:
        return ()
    several = task is Task.MULTI_LABEL
    count = splits[-1].shape[1] if several else max(int(split.max()) for split in splits) + 1
    if names is None:
        return tuple(str(index) for index in range(count))
    if len(names) < count or len(set(names)) < len(names) or (several and len(names) > count):
        what = "columns: give each column" if several else "classes: give each class"
        raise DatasetError(f"{where}: {len(set(names))} different labels for {count} {what} its own")
    return names


def _classes(where: str, y: NDArray[Any]) -> NDArray[np.int64]:
    if not _is_one_column(y) or (y.dtype.kind == "f" and not np.array_equal(y, np.trunc(y))):
        raise DatasetError(f"{where} is {y.dtype} {y.shape}: give one whole-number class index a sample")
    if y.min() < 0 or y.max() >= CLASS_LIMIT:
        raise DatasetError(
            f"{where} holds classes {y.min()} to {y.max()}: number them from 0, at most {CLASS_LIMIT:,}; "
            "if they are values, make them floats"
        )
    return y.reshape(-1).astype(np.int64)


def _labels(where: str, y: NDArray[Any]) -> NDArray[np.uint8]:
    if y.ndim > 2 or not _is_zero_or_one(y):  # noqa: PLR2004  (a matrix)
        raise DatasetError(
            f"{where} is {y.dtype} {y.shape}, {y.min()} to {y.max()}: give a row of 0 and 1 a sample, "
            "a column a label"
        )
    return y.reshape(len(y), -1).astype(np.uint8)


def _is_one_column(y: NDArray[Any]) -> bool:
    return y.ndim == 1 or y.shape[1:] == (1,)


def _is_zero_or_one(y: NDArray[Any]) -> bool:
    return y.dtype.kind in "biuf" and bool(((y == 0) | (y == 1)).all())
