"""The reference: the trained model's answers to the test samples, to which every artifact is held."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from export.errors import SourceError
from export.parity import deciding_output
from export.runner import Answer, Feed
from export.runners import KerasRunner
from export.source import Checkpoint
from training.datasets import Dataset, Samples, Task

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The trained model's answers, to which every artifact is held.

    Attributes:
        feed: the test samples, by input name.
        answer: the reference's outputs.
        labels: class indices of the samples; None where the targets are no classes.
        class_names: one a class; none where the targets are no classes.
        sha256: of the checkpoint.
        data_sha256: of the data.
    """

    feed: Feed
    answer: Answer
    labels: NDArray[np.int64] | None
    class_names: tuple[str, ...]
    sha256: str
    data_sha256: str


def run_reference(model: "keras.Model", checkpoint: Checkpoint, dataset: Dataset) -> Reference:
    """Run the checkpoint on the test samples.

    Raises:
        SourceError: the samples do not fit the model's inputs, or their classes its outputs.
    """
    feed = fit_samples(model, dataset.test)
    if len(dataset.targets) != 1 or dataset.task is Task.MULTI_LABEL:
        raise SourceError(
            f"{dataset.source}: only data with one target, classes or values, can be checked: "
            "give y_test with one class index, or floats, a sample"
        )
    with KerasRunner(model) as runner:
        answer = runner.run(feed)
    classes = dataset.task is Task.CLASSIFICATION
    return Reference(
        feed=feed,
        answer=answer,
        labels=dataset.test.y if classes else None,
        class_names=_class_names(dataset, answer) if classes else (),
        sha256=checkpoint.sha256,
        data_sha256=dataset.sha256,
    )


def _class_names(dataset: Dataset, answer: Answer) -> tuple[str, ...]:
    """One name for each class that the model tells apart; the data may lack the last ones."""
    scores = deciding_output(answer, answer)
    if scores is None:
        raise SourceError(
            f"{dataset.source} holds classes, the model returns no score a class: give floats for regression"
        )
    classes, names = answer[scores].shape[1], dataset.labels
    if len(names) > classes:
        raise SourceError(
            f"{dataset.source} holds {len(names)} classes, the model tells {classes} apart: "
            "number the classes as the model does"
        )
    return (*names, *(str(index) for index in range(len(names), classes)))


def fit_samples(model: "keras.Model", samples: Samples) -> dict[str, NDArray[Any]]:
    """Bring samples into the model's inputs: their names, and their dtypes where that loses nothing.

    Raises:
        SourceError: other inputs, another shape, or another kind of number.
    """
    given = dict(samples.inputs)
    if len(model.inputs) == len(given) == 1:
        given = {model.inputs[0].name: next(iter(given.values()))}
    names = [tensor.name for tensor in model.inputs]
    if set(names) != set(given):
        raise SourceError(
            f"the model takes {', '.join(names)}, the data hold {', '.join(given)}: name them x_train/NAME"
        )
    return {tensor.name: _fit(tensor, given[tensor.name]) for tensor in model.inputs}


def _fit(tensor: "keras.KerasTensor", samples: NDArray[Any]) -> NDArray[Any]:
    expected, dtype = tuple(tensor.shape[1:]), np.dtype(tensor.dtype)
    if samples.shape[1:] == (*expected, 1):
        samples = samples[..., 0]
    fits = samples.ndim - 1 == len(expected) and all(
        want in (None, got) for want, got in zip(expected, samples.shape[1:], strict=True)
    )
    if not fits or not np.can_cast(samples.dtype, dtype, "same_kind") or samples.dtype.kind != dtype.kind:
        raise SourceError(
            f"input {tensor.name} takes {dtype} of shape {expected}, the data hold {samples.dtype} of shape "
            f"{samples.shape[1:]}: prepare x_train and x_test as the model expects them"
        )
    return samples.astype(dtype, copy=False)
