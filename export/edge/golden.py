"""Golden vectors: samples with the bytes that LiteRT's reference kernels answer, for devices to repeat."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.edge.reference_kernels import Bytes
from export.edge.subject import Subject
from export.errors import KitError
from training.datasets import Dataset, Task

FEWEST, MOST = 64, 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Samples of the data's test split.

    Attributes:
        index: of each.
        raw: the samples as the data hold them.
        label: the true classes; None where the data have none.
    """

    index: NDArray[np.int64]
    raw: NDArray[Any]
    label: NDArray[np.int64] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """Samples, and what the int8 file makes of them.

    Attributes:
        index: of each sample in the data's test split.
        raw: the samples as the data hold them.
        input: the same as the int8 file takes them, with the batch of 1.
        output: the answers of the reference kernels.
        label: the true classes; None where the data have none.
        expected: the classes that the answers give; None where the model is no classifier.
    """

    index: NDArray[np.int64]
    raw: NDArray[Any]
    input: Bytes
    output: Bytes
    label: NDArray[np.int64] | None
    expected: NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.index)

    def first(self, count: int) -> "Golden":
        """The first of the samples."""
        return Golden(
            index=self.index[:count],
            raw=self.raw[:count],
            input=self.input[:count],
            output=self.output[:count],
            label=None if self.label is None else self.label[:count],
            expected=None if self.expected is None else self.expected[:count],
        )

    @property
    def wrong(self) -> int | None:
        """How many of the samples the model takes for another class."""
        if self.label is None or self.expected is None:
            return None
        return int((self.label != self.expected).sum())


def samples_of(subject: Subject, dataset: Dataset) -> NDArray[Any]:
    """The test samples of the model's only input.

    Raises:
        KitError: they are not what the model takes.
    """
    inputs = dataset.test.inputs
    samples = inputs[subject.input.name] if subject.input.name in inputs else next(iter(inputs.values()))
    if len(inputs) != 1 or _sizes(samples.shape[1:]) != _sizes(subject.input.shape[1:]):
        raise KitError(
            f"the samples of {dataset.source} are not of shape {subject.input.shape[1:]}: "
            "give --data that the model was made for"
        )
    if subject.pixels and samples.dtype != np.uint8:
        raise KitError(
            f"the samples of {dataset.source} are {samples.dtype}, and the model takes pixels of 0 to 255: "
            "give --data in uint8"
        )
    return samples


def _sizes(shape: Sequence[int]) -> list[int]:
    """A shape but for dimensions of one, which grey images have or leave out."""
    return [size for size in shape if size != 1]


def choose_golden(subject: Subject, dataset: Dataset) -> Chosen:
    """The first test samples of every class, whether the model is right on them or wrong.

    At least 64 samples, the same number of every class as far as there are so many; of data without classes
    simply the first 64.

    Raises:
        KitError: there are fewer, or classes that the model lacks.
    """
    if len(dataset.test) < FEWEST:
        raise KitError(
            f"{dataset.source} has {len(dataset.test)} test samples, a kit holds {FEWEST} golden vectors: "
            "give more with --data"
        )
    label = _labels(dataset) if subject.classes else None
    if label is not None and subject.classes and not 0 <= label.min() <= label.max() < subject.classes:
        raise KitError(
            f"{dataset.source} has classes {label.min()} to {label.max()}, and the model {subject.classes}: "
            "number the classes of the data as the model does"
        )
    return _choose(subject, dataset, np.arange(FEWEST) if label is None else first_of_each(label))


def choose_test(subject: Subject, dataset: Dataset, count: int) -> Chosen:
    """The first test samples: too many for a kit, enough for a proof.

    Raises:
        KitError: they are not what the model takes.
    """
    return _choose(subject, dataset, np.arange(min(count, len(dataset.test))))


def _choose(subject: Subject, dataset: Dataset, index: NDArray[np.int64]) -> Chosen:
    label = _labels(dataset) if subject.classes else None
    samples = samples_of(subject, dataset)[index]
    return Chosen(index=index, raw=samples, label=None if label is None else label[index])


def answered(subject: Subject, chosen: Chosen, numbers: Bytes, output: Bytes) -> Golden:
    """Samples with what they are answered.

    Args:
        subject: the model.
        chosen: the samples.
        numbers: the same as the file takes them.
        output: the answers.
    """
    return Golden(
        index=chosen.index,
        raw=chosen.raw,
        input=numbers,
        output=output,
        label=chosen.label,
        expected=classes_of(output) if subject.classes else None,
    )


def classes_of(output: Bytes) -> NDArray[np.int64]:
    """The class of each answer: the first of the highest scores."""
    found: NDArray[np.int64] = output.reshape(len(output), -1).argmax(axis=1).astype(np.int64)
    return found


def first_of_each(label: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sorted indices of the first samples of every class, equally many, at least 64 in all if there are."""
    order = np.argsort(label, kind="stable")
    _, starts, counts = np.unique(label[order], return_index=True, return_counts=True)
    share = next(
        (share for share in range(1, FEWEST + 1) if np.minimum(counts, share).sum() >= FEWEST), FEWEST
    )
    parts = [
        order[start : start + min(share, count)]
        for start, count in zip(starts.tolist(), counts.tolist(), strict=True)
    ]
    chosen: NDArray[np.int64] = np.sort(np.concatenate(parts)[:MOST])
    return chosen


def _labels(dataset: Dataset) -> NDArray[np.int64] | None:
    """The true classes of the test samples; None of other data."""
    if [target.task for target in dataset.targets.values()] != [Task.CLASSIFICATION]:
        return None
    found: NDArray[np.int64] = dataset.test.y.astype(np.int64)
    return found
