"""The reference: the trained model's answers to the test samples, to which every artifact is held."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from export.custom import CustomCode
from export.errors import SourceError
from export.exchange import read_arrays, write_arrays
from export.formats import Tier
from export.parity.compare import TargetKind, Targets, compare, deciding_output
from export.runner import Answer, Feed, InputSpec, Runner
from export.sessions import SessionSettings
from export.verdict import Verdict

FACTS = "reference.json"


class ReferenceKind(StrEnum):
    """What a reference is."""

    KERAS = "keras"
    SAVED_MODEL = "saved_model"
    ONNX = "onnx"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceModel:
    """A model on disk that others are held to.

    Attributes:
        path: of the file, or of the SavedModel's folder.
        kind: what it is.
        sha256: of its content.
        settings: for ONNX, of the session.
        custom: code of layers that are not Keras's own.
    """

    path: Path
    kind: ReferenceKind
    sha256: str
    settings: SessionSettings = field(default_factory=SessionSettings)
    custom: CustomCode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A model's answers to samples, to which every artifact is held.

    Attributes:
        feed: the samples, by input name.
        answer: the model's outputs.
        targets: what is right, by output name; `""` names the deciding output; none without labels.
        labels: one text a class; none where there are no classes.
        sha256: of the model.
        data_sha256: of the data.
    """

    feed: Feed
    answer: Answer
    targets: Mapping[str, Targets]
    labels: tuple[str, ...]
    sha256: str
    data_sha256: str

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(next(iter(self.feed.values())))

    def save(self, folder: Path) -> None:
        """Write all of it into a new folder, for other processes."""
        arrays = {f"feed/{name}": array for name, array in self.feed.items()}
        arrays |= {f"answer/{name}": array for name, array in self.answer.items()}
        arrays |= {f"{target.kind}/{name}": target.values for name, target in self.targets.items()}
        write_arrays(folder, arrays)
        facts = {"labels": self.labels, "sha256": self.sha256, "data_sha256": self.data_sha256}
        (folder / FACTS).write_bytes(msgspec.json.encode(facts))

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read what `save` wrote; arrays stay on disk till they are used."""
        facts = msgspec.json.decode((folder / FACTS).read_bytes())
        return cls(
            feed=read_arrays(folder, "feed"),
            answer=read_arrays(folder, "answer"),
            targets=read_targets(folder),
            labels=tuple(facts["labels"]),
            sha256=facts["sha256"],
            data_sha256=facts["data_sha256"],
        )


def read_targets(folder: Path) -> dict[str, Targets]:
    """The targets in a folder of arrays."""
    return {
        name: Targets(kind=kind, values=values)
        for kind in TargetKind
        for name, values in read_arrays(folder, kind).items()
    }


def run_reference(
    runner: Runner,
    feed: Feed,
    targets: Mapping[str, Targets],
    *,
    source: str,
    labels: tuple[str, ...],
    sha256: str,
    data_sha256: str,
) -> Reference:
    """Run a reference on samples.

    Args:
        runner: of the model.
        feed: samples that fit its inputs.
        targets: by output name, `""` for the deciding output.
        source: of the data, for messages.
        labels: one text a class, as the data know them.
        sha256: of the model.
        data_sha256: of the data.

    Raises:
        SourceError: targets that do not fit the outputs.
    """
    answer = runner.run(feed)
    _check(source, answer, targets)
    return Reference(
        feed=feed,
        answer=answer,
        targets=targets,
        labels=_complete_labels(labels, answer),
        sha256=sha256,
        data_sha256=data_sha256,
    )


def _check(source: str, answer: Answer, targets: Mapping[str, Targets]) -> None:
    """Hold a reference to itself: whatever fails then, the model or the data cannot serve as one."""
    itself = compare(answer, answer, targets=targets, tier=Tier.LOSSLESS)
    if itself.verdict is Verdict.FAIL:
        raise SourceError(f"{source} cannot show what the model is worth ({itself.reason}): mend the data")
    for output in itself.outputs:
        change = output.accuracy
        if change is not None and change.reference_interval[1] < change.constant:
            raise SourceError(
                f"the model is right on {change.reference:.2%} of {source}, no better than guessing "
                f"({change.constant:.2%}): number the classes of the data as the model does"
            )


def _complete_labels(labels: tuple[str, ...], answer: Answer) -> tuple[str, ...]:
    """One name for each class that the model tells apart; the data may lack the last ones."""
    scores = deciding_output(answer, answer)
    if not labels or scores is None:
        return labels
    classes = answer[scores].shape[1] if answer[scores].ndim > 1 else 1
    return (*labels, *(str(index) for index in range(len(labels), classes)))


def fit_samples(inputs: Sequence[InputSpec], samples: Feed) -> dict[str, NDArray[Any]]:
    """Bring samples into a model's inputs: their names, and their dtypes where that loses nothing.

    Raises:
        SourceError: other inputs, another shape, or another kind of number.
    """
    given = dict(samples)
    if len(inputs) == len(given) == 1:
        given = {inputs[0].name: next(iter(given.values()))}
    names = [spec.name for spec in inputs]
    if set(names) != set(given):
        raise SourceError(
            f"the model takes {', '.join(names)}, the data hold {', '.join(given)}: name them x_train/NAME"
        )
    return {spec.name: _fit(spec, given[spec.name]) for spec in inputs}


def _fit(spec: InputSpec, samples: NDArray[Any]) -> NDArray[Any]:
    if samples.shape[1:] == (*spec.shape, 1):
        samples = samples[..., 0]
    fits = samples.ndim - 1 == len(spec.shape) and all(
        want in (None, got) for want, got in zip(spec.shape, samples.shape[1:], strict=True)
    )
    try:
        dtype = np.dtype(spec.dtype)
    except TypeError:
        raise SourceError(
            f"input {spec.name} takes {spec.dtype}, which keraport cannot feed: give it numbers"
        ) from None
    if not fits or not np.can_cast(samples.dtype, dtype, "same_kind") or samples.dtype.kind != dtype.kind:
        raise SourceError(
            f"input {spec.name} takes {dtype} of shape {spec.shape}, the data hold {samples.dtype} of shape "
            f"{samples.shape[1:]}: prepare x_train and x_test as the model expects them"
        )
    return samples.astype(dtype, copy=False)
