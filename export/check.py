"""Parity of what is already there: a published version, or a single artifact, against a reference."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from export.artifacts import verify_artifact
from export.custom import CustomCode
from export.data import class_labels, data_arrays
from export.errors import ExportError, SourceError, WorkerError
from export.exchange import write_arrays
from export.explaining.explain_step import ExplainOrder, explain_artifact, rows_to_trace
from export.explaining.explanation import Explanation
from export.formats import FORMATS, Family, Format
from export.isolation import Workers
from export.judge import failed
from export.listener import Listener
from export.manifest import MANIFEST_NAME, Artifact, Manifest, content_sha256, read_manifest
from export.reference import Reference, ReferenceKind, ReferenceModel
from export.sessions import SessionSettings
from export.source import find_checkpoint, load_run_data
from export.steps import MeasureOrder, Prepared, PrepareOrder, TimeOrder, measure, prepare, time_artifacts
from export.verdict import Verdict
from training.datasets import Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is to be checked.

    Attributes:
        files: format, path and, for ONNX, the session settings of every artifact.
        manifest: of the version they belong to; None for a file on its own.
        folder: of that version.
    """

    files: tuple[tuple[Format, Path, SessionSettings], ...]
    manifest: Manifest | None
    folder: Path | None


def find_target(path: Path) -> Target:
    """Find the artifacts that a command line names.

    Args:
        path: a published version, a repository or model folder (the newest version is taken), or an artifact.

    Raises:
        SourceError: nothing there that could be checked.
        ManifestError: a version that is not what its manifest says.
    """
    version = path if (path / MANIFEST_NAME).is_file() else newest_version(path)
    if version is not None:
        manifest = read_manifest(version)
        shipped = [artifact for artifact in manifest.artifacts if artifact.path is not None]
        files = tuple(
            (artifact.format, verify_artifact(version, artifact), artifact.session or SessionSettings())
            for artifact in shipped
        )
        return Target(files=files, manifest=manifest, folder=version)
    if not path.exists():
        raise SourceError(f"there is no version or artifact {path}: export first, or check the path")
    if (path.parent / MANIFEST_NAME).is_file():
        beside = read_manifest(path.parent)
        for artifact in beside.artifacts:
            if artifact.path == path.name:
                verify_artifact(path.parent, artifact)
                files = ((artifact.format, path, artifact.session or SessionSettings()),)
                return Target(files=files, manifest=beside, folder=path.parent)
    return Target(files=((_format_of(path), path, SessionSettings()),), manifest=None, folder=None)


def find_reference(path: Path, custom: CustomCode | None = None) -> tuple[ReferenceModel, Dataset | None]:
    """Find what candidates are to be held to.

    Args:
        path: a run, a `.keras` file, a published version (its `model.onnx`), an ONNX file or a SavedModel.
        custom: code of layers that are not Keras's own.

    Returns:
        The model, and the data of its run where it belongs to one.

    Raises:
        SourceError: there is none.
        ManifestError: a version that is not what its manifest says.
    """
    if (path / MANIFEST_NAME).is_file():
        manifest = read_manifest(path)
        onnx = manifest.artifact(Format.ONNX)
        model = _reference(verify_artifact(path, onnx), ReferenceKind.ONNX)
        return replace(model, settings=onnx.session or SessionSettings()), None
    if (path / "saved_model.pb").is_file():
        return _reference(path, ReferenceKind.SAVED_MODEL), None
    if path.suffix == ".onnx" and path.is_file():
        return _reference(path, ReferenceKind.ONNX), None
    checkpoint = find_checkpoint(path)
    model = ReferenceModel(
        path=checkpoint.path, kind=ReferenceKind.KERAS, sha256=checkpoint.sha256, custom=custom
    )
    return model, load_run_data(checkpoint) if checkpoint.record else None


def _reference(path: Path, kind: ReferenceKind) -> ReferenceModel:
    return ReferenceModel(path=path, kind=kind, sha256=content_sha256(path))


def find_own_run(target: Target, name: Path, runs: Path) -> Path:
    """The run that a published version was made from.

    Args:
        target: what is checked.
        name: as it was named, for messages.
        runs: the folder of runs.

    Raises:
        SourceError: the target names no run, or that run holds another checkpoint by now.
    """
    run = target.manifest.source.run if target.manifest else None
    if target.manifest is None or run is None or run != Path(run).name:
        raise SourceError(f"{name} does not say which run it comes from: add --reference")
    checkpoint = find_checkpoint(runs / run)
    if checkpoint.sha256 != target.manifest.source.checkpoint_sha256:
        raise SourceError(
            f"{checkpoint.path} is not the checkpoint that {name} was made from: name it with --reference"
        )
    return runs / run


class Check:
    """A reference that has run, to which candidates are held one by one.

    Attributes:
        prepared: what it takes and returns.
        reference: its answers.
    """

    def __init__(self, workers: Workers, model: ReferenceModel, folder: Path, prepared: Prepared) -> None:
        self._workers = workers
        self._model = model
        self._folder = folder
        self.prepared = prepared
        self.reference = Reference.open(folder)

    def artifact(self, kind: Format, path: Path, settings: SessionSettings, margin: float | None) -> Artifact:
        """Give an artifact a fresh verdict, in a process of its own."""
        order = MeasureOrder(
            path=path, format=kind, reference=self._folder, settings=settings, margin_points=margin
        )
        try:
            return self._workers.call(measure, order)
        except WorkerError as error:
            return failed(path, kind, str(error), error.log)

    def explain(
        self, kind: Format, path: Path, settings: SessionSettings, artifact: Artifact
    ) -> Explanation | str:
        """Trace an artifact and the reference layer by layer.

        Args:
            kind: the artifact's format.
            path: of the artifact.
            settings: for ONNX, of the session.
            artifact: its verdict, whose flipped samples are traced first.

        Returns:
            What was found, or why nothing could be.
        """
        order = ExplainOrder(
            model=self._model,
            path=path,
            format=kind,
            reference=self._folder,
            settings=settings,
            rows=rows_to_trace(artifact.comparison, len(self.reference)),
        )
        try:
            return self._workers.call(explain_artifact, order)
        except ExportError as error:
            return str(error)

    def time(self, target: Target, artifacts: Sequence[Artifact]) -> tuple[Artifact, ...]:
        """Time those that did not fail, side by side, in a process of their own.

        Args:
            target: their files.
            artifacts: as `artifact` gave them, one a file.
        """
        sound = [
            index
            for index, artifact in enumerate(artifacts)
            if artifact.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE)
        ]
        files = [target.files[index] for index in sound]
        settings = [each for kind, _, each in files if FORMATS[kind].family is Family.ONNX]
        order = TimeOrder(
            artifacts=tuple((path, kind) for kind, path, _ in files),
            reference=self._folder,
            settings=next(iter(settings), SessionSettings()),
        )
        try:
            latencies = self._workers.call(time_artifacts, order) if sound else ()
        except WorkerError:  # a figure for information: each of them has run before
            return tuple(artifacts)
        known = dict(zip(sound, latencies, strict=True))
        return tuple(replace(each, latency=known.get(index)) for index, each in enumerate(artifacts))


@contextmanager
def checking(
    model: ReferenceModel, dataset: Dataset, *, time_limit_s: float, listener: Listener
) -> Iterator[Check]:
    """Run a reference on a data set's test samples, and hold candidates to it.

    Args:
        model: the reference.
        dataset: whose test split to run it on.
        time_limit_s: seconds that one step may take.
        listener: told of progress.

    Raises:
        SourceError: the model cannot be loaded, or the data do not fit it.
    """
    with (
        tempfile.TemporaryDirectory(prefix="keraport-") as scratch,
        Workers(Path(scratch), time_limit_s=time_limit_s) as workers,
    ):
        order = PrepareOrder(
            model=model,
            data=write_arrays(Path(scratch) / "data", data_arrays(dataset)),
            out=Path(scratch) / "reference",
            source=dataset.source,
            data_sha256=dataset.sha256,
            labels=class_labels(dataset),
        )
        with listener.during(f"running the reference on {len(dataset.test):,} samples"):
            try:
                prepared = workers.call(prepare, order)
            except WorkerError as error:
                raise WorkerError(f"the reference cannot be run: {error}", error.log) from error
        yield Check(workers, model, order.out, prepared)


def newest_version(folder: Path) -> Path | None:
    """The newest version below a model's folder, or below the only model of a repository."""
    manifests = [*folder.glob(f"[0-9]*/{MANIFEST_NAME}"), *folder.glob(f"[!.]*/[0-9]*/{MANIFEST_NAME}")]
    models = {manifest.parent.parent for manifest in manifests}
    if len(models) > 1:
        names = ", ".join(sorted(str(model) for model in models))
        raise SourceError(f"{folder} holds several models: name one of {names}")
    versions = [manifest.parent for manifest in manifests if manifest.parent.name.isdecimal()]
    return max(versions, key=lambda version: int(version.name), default=None)


def _format_of(path: Path) -> Format:
    for kind, spec in FORMATS.items():
        if path.name == spec.path:
            return kind
    if (path / "saved_model.pb").is_file():
        return Format.SAVED_MODEL
    if path.suffix == ".onnx":
        return Format.ONNX
    known = ", ".join(spec.path for spec in FORMATS.values() if spec.family is not Family.SAVED_MODEL)
    raise SourceError(f"{path.name} does not tell its format: name it as a version does ({known})")
