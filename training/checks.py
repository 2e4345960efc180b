"""What is wrong with a data set: refused if nothing can be learnt from it, warned of if it misleads."""

import hashlib
from collections.abc import Iterator

import numpy as np

from training.errors import DatasetError
from training.samples import Dataset, Samples, Task

SAMPLES_PER_CLASS = 2  # one to learn from and one for validation
FEW_PER_CLASS = 20
FEW_TEST_SAMPLES = 100
IMBALANCE = 10  # the largest class over the smallest
NAMED_CLASSES = 5  # as many as a message names


def check_dataset(dataset: Dataset) -> tuple[str, ...]:
    """Look for what spoils a training, before it starts. Changes nothing.

    Returns:
        Warnings, a sentence each.

    Raises:
        DatasetError: the data are corrupt (`refuse_corrupt`), or too few to learn from.
    """
    refuse_corrupt(dataset)
    warnings = [_few_test_samples(dataset), _shared(dataset)]
    if dataset.train is None:
        warnings.append("there is no training split: the data can check a model, not train one")
    elif dataset.task is Task.REGRESSION:
        if (dataset.train.y == dataset.train.y[0]).all():
            raise DatasetError(f"{dataset.source}: all training targets are equal: there is nothing to learn")
    else:
        warnings += _check_classes(dataset, dataset.train)
    return tuple(warning for warning in warnings if warning)


def refuse_corrupt(dataset: Dataset) -> None:
    """Refuse data that are unfit for training and for checking a model alike.

    Raises:
        DatasetError: an empty split, unequal numbers of samples, no numbers, NaN or Inf, labels out of range,
            or splits of different inputs, shapes or dtypes.
    """
    for split, samples in dataset.splits.items():
        name = "training" if split == "train" else split
        _refuse_samples(f"{dataset.source}: the {name} split", samples, dataset)
    if dataset.train is not None:
        train, test = _form(dataset.train), _form(dataset.test)
        for name in sorted(set(train) | set(test)):
            if train.get(name) != test.get(name):
                raise DatasetError(
                    f"{dataset.source}: {name} is {train.get(name, 'missing')} in the training split, "
                    f"{test.get(name, 'missing')} in the test split: give both the same"
                )


def shared_samples(train: Samples, test: Samples) -> int:
    """How many test samples have inputs that are, byte for byte, those of a training sample."""
    seen = set(_digests(train))
    return sum(digest in seen for digest in _digests(test))


def _refuse_samples(where: str, samples: Samples, dataset: Dataset) -> None:
    count = len(samples)
    if count == 0 or not samples.inputs:
        raise DatasetError(f"{where} is empty: add samples")
    for name, array in {**samples.inputs, "y": samples.y}.items():
        if array.dtype.kind not in "biuf":
            raise DatasetError(f"{where}: {name} is {array.dtype}, no numbers: mend the file")
        if array.ndim == 0 or len(array) != count or array.size == 0:
            raise DatasetError(
                f"{where}: {name} has shape {array.shape} for {count} targets: give each sample both"
            )
        if array.dtype.kind == "f" and not (np.isfinite(array.min()) and np.isfinite(array.max())):
            bad = int((~np.isfinite(array)).reshape(count, -1).any(axis=1).sum())
            raise DatasetError(
                f"{where}: {name} holds NaN or Inf in {bad:,} of {count:,} samples: mend the file"
            )
    if dataset.task is Task.CLASSIFICATION and not 0 <= samples.y.min() <= samples.y.max() < len(
        dataset.labels
    ):
        raise DatasetError(
            f"{where} has labels {samples.y.min()} to {samples.y.max()} for {len(dataset.labels)} classes: "
            "number the classes from 0"
        )


def _form(samples: Samples) -> dict[str, str]:
    return {
        name: f"{array.dtype} {array.shape[1:]}" for name, array in {**samples.inputs, "y": samples.y}.items()
    }


def _check_classes(dataset: Dataset, train: Samples) -> list[str]:
    """Warnings about the classes' sizes."""
    count = len(dataset.labels)
    if count < 2:  # noqa: PLR2004  (nothing to tell apart)
        raise DatasetError(f"{dataset.source} has a single class: give samples of at least two")
    learnt = np.bincount(train.y, minlength=count)
    tested = np.bincount(dataset.test.y, minlength=count)
    if lacking := _named(dataset, learnt < SAMPLES_PER_CLASS):
        raise DatasetError(
            f"{dataset.source} has fewer than {SAMPLES_PER_CLASS} training samples of {lacking}: "
            "add some, or leave the class out and number the others from 0"
        )
    warnings = []
    if missing := _named(dataset, tested == 0):
        warnings.append(f"the test split has no sample of {missing}: their accuracy stays unknown")
    if few := _named(dataset, learnt < FEW_PER_CLASS):
        warnings.append(f"there are fewer than {FEW_PER_CLASS} training samples of {few}")
    if learnt.max() >= IMBALANCE * learnt.min():
        large, small = int(learnt.argmax()), int(learnt.argmin())
        warnings.append(
            f"the classes are uneven: {learnt[large]:,} training samples of {dataset.labels[large]}, "
            f"{learnt[small]:,} of {dataset.labels[small]}"
        )
    return warnings


def _named(dataset: Dataset, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> str:
    names = [dataset.labels[index] for index in np.flatnonzero(chosen)]
    rest = len(names) - NAMED_CLASSES
    return ", ".join(names[:NAMED_CLASSES]) + (f" and {rest:,} more classes" if rest > 0 else "")


def _few_test_samples(dataset: Dataset) -> str | None:
    count = len(dataset.test)
    if count >= FEW_TEST_SAMPLES:
        return None
    return (
        f"the test split has {count} samples, too few to measure a model well: {FEW_TEST_SAMPLES} are a start"
    )


def _shared(dataset: Dataset) -> str | None:
    shared = 0 if dataset.train is None else shared_samples(dataset.train, dataset.test)
    if not shared:
        return None
    return (
        f"{shared:,} of {len(dataset.test):,} test samples are also in the training split: "
        "the test results will look better than they are"
    )


def _digests(samples: Samples) -> Iterator[bytes]:
    """One digest a sample, over all its inputs."""
    rows = [
        np.ascontiguousarray(samples.inputs[name]).reshape(len(samples), -1).view(np.uint8)
        for name in sorted(samples.inputs)
    ]
    for parts in zip(*rows, strict=True):
        digest = hashlib.blake2b(digest_size=16)
        for part in parts:
            digest.update(part.data)
        yield digest.digest()
