"""What is wrong with a data set: refused if nothing can be learnt from it, warned of if it misleads."""

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.balance import class_warnings, label_warnings
from training.errors import DatasetError
from training.samples import Dataset, Samples, Target, Task

FEW_TEST_SAMPLES = 100
LARGEST_NUMBER = 8  # bytes


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
    if not dataset.targets:
        warnings.append("the data are unlabelled: they can tell how far two models agree, not which is right")
    for name, target in dataset.targets.items():
        if target.task is Task.MULTI_LABEL:
            warnings += label_warnings(name, target, dataset.test)
        elif dataset.train is None:
            continue
        elif target.task is Task.CLASSIFICATION:
            warnings += class_warnings(dataset, name, dataset.train)
        elif (dataset.train.targets[name] == dataset.train.targets[name][0]).all():
            raise DatasetError(
                f"{dataset.source}: all training targets are equal ({name}): there is nothing to learn"
            )
    return tuple(warning for warning in warnings if warning)


def split_to_learn(dataset: Dataset) -> Samples:
    """The training split, if training can learn its target.

    Raises:
        DatasetError: there is no such split, or not one target of classes or rows of values.
    """
    if dataset.train is None:
        raise DatasetError(f"{dataset.source} has no training split: add x_train and y_train")
    if what := _unlearnable(dataset, dataset.train):
        raise DatasetError(
            f"{dataset.source}: {what} serve to check a model, not to train one: give y_train and y_test "
            "with one class index a sample (of one-hot targets y.argmax(1)), or a row of floats"
        )
    return dataset.train


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


def _unlearnable(dataset: Dataset, train: Samples) -> str | None:
    if not dataset.targets:
        return "unlabelled data"
    if len(dataset.targets) > 1:
        return f"several outputs ({', '.join(dataset.targets)})"
    if dataset.task is Task.MULTI_LABEL:
        return "multi-label data"
    return None if train.y.ndim <= 2 else f"targets of shape {train.y.shape[1:]}"  # noqa: PLR2004  (a row)


def _refuse_samples(where: str, samples: Samples, dataset: Dataset) -> None:
    count = len(samples)
    if count == 0:
        raise DatasetError(f"{where} is empty: add samples")
    first = next(iter(samples.arrays))
    for name, array in samples.arrays.items():
        if array.dtype.kind not in "biuf":
            raise DatasetError(f"{where}: {name} is {array.dtype}, no numbers: mend the file")
        if array.dtype.itemsize > LARGEST_NUMBER:
            raise DatasetError(f"{where}: {name} is {array.dtype}, which no model takes: make it float32")
        if array.ndim == 0 or len(array) != count or array.size == 0:
            raise DatasetError(
                f"{where}: {name} has shape {array.shape} for {count} samples of {first}: "
                "give every sample one"
            )
        if array.dtype.kind == "f" and not (np.isfinite(array.min()) and np.isfinite(array.max())):
            bad = int((~np.isfinite(array)).reshape(count, -1).any(axis=1).sum())
            raise DatasetError(
                f"{where}: {name} holds NaN or Inf in {bad:,} of {count:,} samples: mend the file"
            )
    for name, target in dataset.targets.items():
        _refuse_values(f"{where}: {name}", samples.targets[name], target)


def _refuse_values(where: str, y: NDArray[Any], target: Target) -> None:
    count = len(target.labels)
    if target.task is Task.CLASSIFICATION and not 0 <= y.min() <= y.max() < count:
        raise DatasetError(
            f"{where} has labels {y.min()} to {y.max()} for {count} classes: number the classes from 0"
        )
    if target.task is Task.MULTI_LABEL and (y.shape[1:] != (count,) or not ((y == 0) | (y == 1)).all()):
        raise DatasetError(
            f"{where} has rows of shape {y.shape[1:]}, {y.min()} to {y.max()}, for {count} labels: "
            "give a column of 0 and 1 a label"
        )


def _form(samples: Samples) -> dict[str, str]:
    return {name: f"{array.dtype} {array.shape[1:]}" for name, array in samples.arrays.items()}


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
