"""What a data set is: named inputs, targets, splits, and how to read them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import DatasetError

MEMORY_LIMIT = 4 << 30  # bytes that the arrays of one data set may fill
LARGEST_SIDE = 8192  # pixels
ONLY_INPUT, ONLY_TARGET = "x", "y"  # the keys of those without a name of their own


class Task(StrEnum):
    """What a target is, and so what a model is to learn."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    MULTI_LABEL = "multi_label"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions:
    """How to read a source, where it leaves a choice.

    Attributes:
        image_size: (height, width) in pixels to which a folder's images are resized; None: they must all
            have one size.
        grey: read a folder's images as grey (True) or colour (False); None: grey if all of them are.
        test_share: of each class of a folder without `train/` and `test/`, 0 to 1.
        task: of every target; None: whole numbers are classes, a 0/1 matrix of them multi-label, floats
            regression.

    Raises:
        DatasetError: a size or share out of range.
    """

    image_size: tuple[int, int] | None = None
    grey: bool | None = None
    test_share: float = 0.2
    task: Task | None = None

    def __post_init__(self) -> None:
        if self.image_size and not all(1 <= side <= LARGEST_SIDE for side in self.image_size):
            raise DatasetError(f"an image's sides are 1 to {LARGEST_SIDE} pixels: change the image size")
        if not 0 < self.test_share < 1:
            raise DatasetError(f"the test share is {self.test_share}: give one between 0 and 1, such as 0.2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Inputs and their targets.

    Attributes:
        inputs: input name to (samples, ...) array; images are (samples, height, width, channels). An only
            input without a name of its own is called `x`.
        targets: output name to array; none of unlabelled data. An only target without a name is called `y`.
            Classification: (samples,) int64 class indices. Regression: (samples, values), or more dimensions,
            float32. Multi-label: (samples, labels) uint8, each 0 or 1.
    """

    inputs: Mapping[str, NDArray[Any]]
    targets: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        """Return the number of samples."""
        first = next(iter(self.inputs.values()), None)
        return len(first) if first is not None and first.ndim else 0

    @property
    def y(self) -> NDArray[Any]:
        """The only target.

        Raises:
            DatasetError: there is none, or there are several.
        """
        return self.targets[_only(self.targets)]

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Inputs and targets under the names that errors and tables use: `x` or `x/NAME`, `y` or `y/NAME`."""
        named = {_full_name(ONLY_INPUT, name): array for name, array in self.inputs.items()}
        return named | {_full_name(ONLY_TARGET, name): array for name, array in self.targets.items()}

    def take(self, indices: NDArray[np.int64]) -> "Samples":
        """The samples at these indices, in this order."""
        return Samples(
            inputs={name: array[indices] for name, array in self.inputs.items()},
            targets={name: array[indices] for name, array in self.targets.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What one target means.

    Attributes:
        task: what it is.
        labels: one text a class, or a column of a multi-label target; none for regression.
    """

    task: Task
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A data set with a test split, and a training split unless it only serves to check a model.

    Attributes:
        source: what finds it again: a name such as `mnist`, or the absolute path of a file or folder.
        sha256: over the arrays' names, dtypes, shapes and bytes; class names are not in it.
        targets: what each target means, by the names that both splits use; none of unlabelled data.
        train: the training split, if there is one.
        test: the test split.
    """

    source: str
    sha256: str
    targets: Mapping[str, Target]
    train: Samples | None
    test: Samples

    @property
    def task(self) -> Task:
        """What the only target is.

        Raises:
            DatasetError: there is none, or there are several.
        """
        return self.targets[_only(self.targets)].task

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the only target.

        Raises:
            DatasetError: there is none, or there are several.
        """
        return self.targets[_only(self.targets)].labels

    @property
    def splits(self) -> dict[str, Samples]:
        """The splits that there are, `train` first."""
        return {"test": self.test} if self.train is None else {"train": self.train, "test": self.test}


def _only(targets: Mapping[str, object]) -> str:
    if not targets:
        raise DatasetError("the data are unlabelled: add y_test, and y_train to x_train")
    if len(targets) > 1:
        raise DatasetError(
            f"the data have {len(targets)} targets ({', '.join(targets)}) where one is needed: "
            "give y_train and y_test"
        )
    return next(iter(targets))


def _full_name(kind: str, name: str) -> str:
    return kind if name == kind else f"{kind}/{name}"
