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


class Task(StrEnum):
    """What a model is to learn."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions:
    """How to read a source, where it leaves a choice.

    Attributes:
        image_size: (height, width) in pixels to which a folder's images are resized; None: they must all
            have one size.
        grey: read a folder's images as grey (True) or colour (False); None: grey if all of them are.
        test_share: of each class of a folder without `train/` and `test/`, 0 to 1.
        task: None: whole numbers are classes, floats regression.

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
        y: (samples,) int64 class indices; for regression (samples, values) float32.
    """

    inputs: Mapping[str, NDArray[Any]]
    y: NDArray[Any]

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.y)

    def take(self, indices: NDArray[np.int64]) -> "Samples":
        """The samples at these indices, in this order."""
        return Samples(
            inputs={name: array[indices] for name, array in self.inputs.items()}, y=self.y[indices]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A data set with a test split, and a training split unless it only serves to check a model.

    Attributes:
        source: what finds it again: a name such as `mnist`, or the absolute path of a file or folder.
        sha256: over the arrays' names, dtypes, shapes and bytes; class names are not in it.
        task: what the targets are.
        labels: one text a class; none for regression.
    """

    source: str
    sha256: str
    task: Task
    labels: tuple[str, ...]
    train: Samples | None
    test: Samples

    @property
    def splits(self) -> dict[str, Samples]:
        """The splits that there are, `train` first."""
        return {"test": self.test} if self.train is None else {"train": self.train, "test": self.test}
