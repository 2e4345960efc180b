"""From a checkpoint to a published version: convert, run, compare, publish."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from export.environment import cpu_flags, package_versions
from export.errors import ConversionError
from export.formats import FORMATS, Format
from export.judge import judge
from export.manifest import (
    SCHEMA_VERSION,
    Artifact,
    DataInfo,
    Manifest,
    Source,
    TensorInfo,
    datatype_name,
)
from export.parity import meaning
from export.publish import check_model_name, publish, staging
from export.reference import Reference, fit_samples, run_reference
from export.sessions import SessionSettings
from export.source import Checkpoint, load_checkpoint
from export.verdict import Comparison, Verdict, worst
from training.datasets import Dataset

if TYPE_CHECKING:
    import keras


class Listener(Protocol):
    """Whoever wants to know how an export goes."""

    def begin(self, what: str) -> None:
        """Note what is being done now."""

    def done(self, artifact: Artifact) -> None:
        """Note that an artifact has its verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an export came to.

    Attributes:
        artifacts: every format that was tried.
        manifest: as published; None if a required artifact did not pass.
        verdict: pass, fail, or inconclusive if that is the worst of what was published.
    """

    artifacts: tuple[Artifact, ...]
    manifest: Manifest | None
    verdict: Verdict


def export_model(
    checkpoint: Checkpoint,
    dataset: Dataset,
    *,
    formats: Sequence[Format],
    required: Sequence[Format],
    repository: Path,
    name: str,
    listener: Listener,
) -> Outcome:
    """Convert a checkpoint to every format, check each against it, and publish the next version.

    Args:
        checkpoint: the trained model.
        dataset: its test split decides parity, its training split calibrates int8.
        formats: to try.
        required: without a passing or inconclusive verdict on each of these nothing is published.
        repository: the folder of models.
        name: the model's, a folder below the repository.
        listener: told of progress.

    Raises:
        SourceError: the checkpoint cannot be loaded, or the data do not fit it.
        PublishError: the repository cannot be written, or the name cannot be a folder's.
    """
    check_model_name(name)
    listener.begin("loading the checkpoint")
    model = load_checkpoint(checkpoint.path)
    with staging(repository, name) as folder:
        listener.begin(f"running the checkpoint on {len(dataset.test):,} samples")
        reference = run_reference(model, checkpoint, dataset)
        artifacts = tuple(_attempts(model, reference, dataset, formats, folder, listener))
        shipped = {artifact.format for artifact in artifacts if artifact.path is not None}
        if not shipped.issuperset(required):
            return Outcome(artifacts=artifacts, manifest=None, verdict=Verdict.FAIL)
        draft = _draft(name, model, checkpoint, dataset, reference, artifacts)
        manifest = publish(draft, folder)
        verdict = worst(artifact.verdict for artifact in artifacts if artifact.path is not None)
        return Outcome(artifacts=artifacts, manifest=manifest, verdict=verdict)


def _attempts(
    model: "keras.Model",
    reference: Reference,
    dataset: Dataset,
    formats: Sequence[Format],
    folder: Path,
    listener: Listener,
) -> Iterator[Artifact]:
    for wanted in formats:
        listener.begin(f"converting to {wanted}")
        try:
            path = _convert(model, wanted, folder, dataset)
        except ConversionError as error:
            artifact = _unshipped(wanted, Verdict.REFUSED, str(error))
        else:
            listener.begin(f"running {wanted} on {len(dataset.test):,} samples")
            artifact = judge(path, wanted, reference, SessionSettings())
            if artifact.verdict is Verdict.FAIL:
                _remove(path)
                artifact = _unshipped(wanted, Verdict.FAIL, artifact.reason, artifact.comparison)
        listener.done(artifact)
        yield artifact


def _convert(model: "keras.Model", wanted: Format, folder: Path, dataset: Dataset) -> Path:
    path = folder / FORMATS[wanted].path
    match wanted:
        case Format.SAVED_MODEL:
            from export.to_saved_model import export_saved_model

            return export_saved_model(model, path)
        case Format.ONNX:
            from export.to_onnx import export_onnx

            return export_onnx(model, path)
        case Format.TFLITE | Format.TFLITE_FP16 | Format.TFLITE_DYNAMIC | Format.TFLITE_INT8:
            from export.to_tflite import export_tflite

            calibration = None if dataset.train is None else fit_samples(model, dataset.train)
            return export_tflite(model, path, wanted, calibration)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _unshipped(
    wanted: Format, verdict: Verdict, reason: str, comparison: Comparison | None = None
) -> Artifact:
    return Artifact(
        format=wanted,
        precision=FORMATS[wanted].precision,
        path=None,
        bytes=0,
        sha256=None,
        verdict=verdict,
        reason=reason,
        comparison=comparison,
    )


def _draft(
    name: str,
    model: "keras.Model",
    checkpoint: Checkpoint,
    dataset: Dataset,
    reference: Reference,
    artifacts: tuple[Artifact, ...],
) -> Manifest:
    """The manifest of a version that has no number yet."""
    return Manifest(
        schema_version=SCHEMA_VERSION,
        model=name,
        version=0,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        source=Source(
            checkpoint_sha256=checkpoint.sha256, run=checkpoint.record.name if checkpoint.record else None
        ),
        dataset=DataInfo(name=dataset.source, sha256=dataset.sha256, samples=len(dataset.test)),
        inputs=tuple(
            TensorInfo(
                name=tensor.name,
                datatype=datatype_name(tensor.dtype),
                shape=tuple(-1 if size is None else size for size in tensor.shape),
                meaning="raw pixels, 0 to 255" if tensor.dtype == "uint8" else "as the model was trained",
            )
            for tensor in model.inputs
        ),
        outputs=tuple(
            TensorInfo(
                name=output,
                datatype=datatype_name(values.dtype.name),
                shape=(-1, *values.shape[1:]),
                meaning=meaning(values),
            )
            for output, values in sorted(reference.answer.items())
        ),
        labels=reference.class_names,
        artifacts=artifacts,
        packages=package_versions(),
        cpu_flags=cpu_flags(),
    )
