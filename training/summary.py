"""What a data set holds, in numbers: for the table and the JSON document of `keraport data show`."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.samples import Dataset, Samples, Target, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class ArraySummary:
    """One input or target of a split; the shape is that of one sample."""

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
        targets: by name; classes are their indices.
        counts: for each target of classes or labels, how many samples each has, by its text.
    """

    samples: int
    inputs: dict[str, ArraySummary]
    targets: dict[str, ArraySummary]
    counts: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSummary:
    """A data set; `splits` holds `train`, unless there is none, and `test`."""

    source: str
    sha256: str
    targets: dict[str, Target]
    splits: dict[str, SplitSummary]


def summarize(dataset: Dataset) -> DatasetSummary:
    """Count and measure what a data set holds."""
    return DatasetSummary(
        source=dataset.source,
        sha256=dataset.sha256,
        targets=dict(dataset.targets),
        splits={name: _summarize_split(samples, dataset) for name, samples in dataset.splits.items()},
    )


def _summarize_split(samples: Samples, dataset: Dataset) -> SplitSummary:
    return SplitSummary(
        samples=len(samples),
        inputs={name: _summarize_array(array) for name, array in samples.inputs.items()},
        targets={name: _summarize_array(array) for name, array in samples.targets.items()},
        counts={
            name: dict(zip(target.labels, _counts(samples.targets[name], target), strict=True))
            for name, target in dataset.targets.items()
            if target.labels
        },
    )


def _counts(y: NDArray[Any], target: Target) -> list[int]:
    several = target.task is Task.MULTI_LABEL
    counts = y.sum(axis=0) if several else np.bincount(y, minlength=len(target.labels))
    return [int(count) for count in counts]


def _summarize_array(array: NDArray[Any]) -> ArraySummary:
    return ArraySummary(
        dtype=str(array.dtype), shape=array.shape[1:], minimum=array.min().item(), maximum=array.max().item()
    )
