"""What a data set holds, in numbers: for the table and the JSON document of `keraport data show`."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.samples import Dataset, Samples, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class ArraySummary:
    """One input or the targets of a split; the shape is that of one sample."""

    dtype: str
    shape: tuple[int, ...]
    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitSummary:
    """A split.

    Attributes:
        samples: how many.
        inputs: by name.
        targets: of the class indices or values.
        classes: samples of each class, by label; none for regression.
    """

    samples: int
    inputs: dict[str, ArraySummary]
    targets: ArraySummary
    classes: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSummary:
    """A data set; `splits` holds `train`, unless there is none, and `test`."""

    source: str
    sha256: str
    task: Task
    labels: tuple[str, ...]
    splits: dict[str, SplitSummary]


def summarize(dataset: Dataset) -> DatasetSummary:
    """Count and measure what a data set holds."""
    return DatasetSummary(
        source=dataset.source,
        sha256=dataset.sha256,
        task=dataset.task,
        labels=dataset.labels,
        splits={name: _summarize_split(samples, dataset.labels) for name, samples in dataset.splits.items()},
    )


def _summarize_split(samples: Samples, labels: tuple[str, ...]) -> SplitSummary:
    counts = np.bincount(samples.y, minlength=len(labels)).tolist() if labels else []
    return SplitSummary(
        samples=len(samples),
        inputs={name: _summarize_array(array) for name, array in samples.inputs.items()},
        targets=_summarize_array(samples.y),
        classes=dict(zip(labels, counts, strict=True)),
    )


def _summarize_array(array: NDArray[Any]) -> ArraySummary:
    return ArraySummary(
        dtype=str(array.dtype), shape=array.shape[1:], minimum=array.min().item(), maximum=array.max().item()
    )
