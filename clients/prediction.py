"""From files to classes and their probabilities, by way of a server."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clients.arrays import load_samples
from clients.client import Client
from clients.errors import InputError
from clients.images import load_picture
from clients.names import file_name
from clients.results import TensorSpec
from export.runner import Answer

ARRAY_SUFFIXES = (".npy", ".npz")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a model says of one sample.

    Attributes:
        file: where the sample comes from, as `file_name` gives it.
        sample: its position in the file; None for a picture.
        class_index: of the most probable class.
        label: what that class is called.
        probability: 0 to 1.
        inverted: whether the picture's light and dark were swapped.
    """

    file: str
    sample: int | None
    class_index: int
    label: str
    probability: float
    inverted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """What a version of a model says of all samples, in their order."""

    model: str
    version: str
    predictions: tuple[Prediction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    file: str
    position: int | None
    values: NDArray[Any]
    inverted: bool = False


def predict_files(
    client: Client, files: Sequence[Path], *, model: str | None = None, invert: bool | None = None
) -> Predictions:
    """Classify the samples of some files.

    Args:
        client: of the server.
        files: PNG, JPEG, .npy or .npz.
        model: to ask; by default the only one that the server has.
        invert: as `load_picture` takes it.

    Raises:
        ClientError: a file cannot be read, the model gives no classes, or the server does not answer.
    """
    name = model or _only_model(client)
    # One version answers all, whatever is published meanwhile.
    metadata = client.metadata(name)
    version = metadata.versions[-1]
    config = client.config(name, version=version)
    if len(metadata.inputs) != 1:
        raise InputError(f"{name} takes {len(metadata.inputs)} inputs: use clients.Client")
    spec = metadata.inputs[0]
    predictions: list[Prediction] = []
    for chunk in _chunks(_samples(files, spec, invert), max(1, config.max_batch_size)):
        rows = np.stack([sample.values for sample in chunk])
        answer = client.infer(name, {spec.name: rows}, version=version)
        for sample, probabilities in zip(chunk, _probabilities(answer.outputs, name), strict=True):
            predictions.append(_prediction(sample, probabilities, config.labels))
    return Predictions(model=name, version=version, predictions=tuple(predictions))


def _only_model(client: Client) -> str:
    names = sorted({entry.name for entry in client.models()})
    if len(names) != 1:
        raise InputError(f"the server has {len(names)} models ({', '.join(names)}): choose one with --model")
    return names[0]


def _samples(files: Iterable[Path], spec: TensorSpec, invert: bool | None) -> Iterator[_Sample]:
    for path in files:
        if path.suffix.lower() in ARRAY_SUFFIXES:
            samples = load_samples(path, spec)
            for position in range(len(samples)):
                # The ellipsis keeps arrays of single objects arrays.
                yield _Sample(file=file_name(path), position=position, values=samples[position, ...])
        else:
            picture = load_picture(path, spec, invert=invert)
            yield _Sample(
                file=file_name(path), position=None, values=picture.pixels, inverted=picture.inverted
            )


def _chunks(samples: Iterable[_Sample], size: int) -> Iterator[list[_Sample]]:
    """Lists of at most `size` neighbours of one shape."""
    for _, alike in itertools.groupby(samples, key=lambda sample: sample.values.shape):
        while chunk := list(itertools.islice(alike, size)):
            yield chunk


def _probabilities(outputs: Answer, model: str) -> NDArray[np.float64]:
    """The classes' probabilities, [rows, classes]: an output of that name, else the softmax of `logits`."""
    name = "probabilities" if "probabilities" in outputs else "logits"
    values = outputs.get(name)
    if (
        values is None
        or values.ndim != 2  # noqa: PLR2004  (rows and classes)
        or values.shape[1] < 2  # noqa: PLR2004
        or not np.can_cast(values.dtype, np.float64, "same_kind")  # texts
    ):
        raise InputError(
            f"{model} gives {', '.join(outputs)}, neither `probabilities` nor `logits`: use clients.Client"
        )
    numbers = values.astype(np.float64)
    if name == "probabilities":
        return numbers
    powers = np.exp(numbers - numbers.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _prediction(sample: _Sample, probabilities: NDArray[np.float64], labels: Sequence[str]) -> Prediction:
    index = int(probabilities.argmax())
    return Prediction(
        file=sample.file,
        sample=sample.position,
        class_index=index,
        label=labels[index] if index < len(labels) else str(index),
        probability=float(probabilities[index]),
        inverted=sample.inverted,
    )
