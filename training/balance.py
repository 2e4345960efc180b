"""How the samples are spread over classes and labels: what misleads, and what nothing can be learnt from."""

import numpy as np
from numpy.typing import NDArray

from training.errors import DatasetError
from training.printable import printable
from training.samples import Dataset, Samples, Target, Task

SAMPLES_PER_CLASS = 2  # one to learn from and one for validation
FEW_PER_CLASS = 20
IMBALANCE = 10  # the largest class over the smallest
NAMED_CLASSES = 5  # as many as a message names


def class_warnings(dataset: Dataset, name: str, train: Samples) -> list[str]:
    """What misleads in the sizes of the classes of the target `name`.

    Raises:
        DatasetError: a single class, or one with too few training samples to learn from.
    """
    target = dataset.targets[name]
    count = len(target.labels)
    if count < 2:  # noqa: PLR2004  (nothing to tell apart)
        raise DatasetError(f"{dataset.source} has a single class: give samples of at least two")
    learnt = np.bincount(train.targets[name], minlength=count)
    tested = np.bincount(dataset.test.targets[name], minlength=count)
    if lacking := _named(target, learnt < SAMPLES_PER_CLASS):
        raise DatasetError(
            f"{dataset.source} has fewer than {SAMPLES_PER_CLASS} training samples of {lacking}: "
            "add some, or leave the class out and number the others from 0"
        )
    warnings = []
    if missing := _named(target, tested == 0):
        warnings.append(f"the test split has no sample of {missing}: their accuracy stays unknown")
    if few := _named(target, learnt < FEW_PER_CLASS):
        warnings.append(f"there are fewer than {FEW_PER_CLASS} training samples of {few}")
    if learnt.max() >= IMBALANCE * learnt.min():
        large, small = int(learnt.argmax()), int(learnt.argmin())
        warnings.append(
            f"the classes are uneven: {learnt[large]:,} training samples of "
            f"{printable(target.labels[large])}, {learnt[small]:,} of {printable(target.labels[small])}"
        )
    return warnings


def split_warnings(dataset: Dataset, fitting: Samples, validation: Samples) -> list[str]:
    """What misleads in how the training split was parted into samples to learn from and to validate on.

    Raises:
        DatasetError: a part is empty, or there is nothing to learn a class from.
    """
    if not len(fitting) or not len(validation):
        raise DatasetError(
            f"{dataset.source} has a single training sample: one more is needed to validate on"
        )
    if dataset.task is not Task.CLASSIFICATION:
        return []
    (target,) = dataset.targets.values()
    learnt, validated = (np.bincount(part.y, minlength=len(target.labels)) for part in (fitting, validation))
    if lacking := _named(target, learnt == 0):
        raise DatasetError(
            f"{dataset.source}: the samples held out for validation are all there are of {lacking}: "
            "shuffle the training samples, or --set stratified=true"
        )
    missing = _named(target, validated == 0)
    return [f"no sample of {missing} is held out for validation: the choice ignores them"] if missing else []


def label_warnings(name: str, target: Target, test: Samples) -> list[str]:
    """What misleads in the columns of the multi-label target `name`."""
    y = test.targets[name]
    warnings = []
    if missing := _named(target, y.max(axis=0) == 0):
        warnings.append(f"the test split has no sample of {missing}: their accuracy stays unknown")
    if y.shape[1] > 1 and (y.sum(axis=1) == 1).all():
        warnings.append(
            f"every test sample has exactly one label: if {name} is one-hot, give class indices (y.argmax(1))"
        )
    return warnings


def _named(target: Target, chosen: NDArray[np.bool_]) -> str:
    names = [printable(target.labels[index]) for index in np.flatnonzero(chosen)]
    rest = len(names) - NAMED_CLASSES
    return ", ".join(names[:NAMED_CLASSES]) + (f" and {rest:,} more" if rest > 0 else "")
