"""From a checkpoint to a published version: prepare, convert, run, compare, publish."""

import shutil
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from export.data import class_labels, data_arrays
from export.draft import ExportOptions, draft_manifest
from export.errors import ConversionError, WorkerError
from export.exchange import write_arrays
from export.formats import FORMATS, Format
from export.isolation import Workers
from export.listener import Listener
from export.manifest import Artifact, Manifest
from export.publish import check_model_name, publish, staging
from export.reference import ReferenceKind, ReferenceModel
from export.reporting.report import Report, export_report
from export.source import Checkpoint, copy_checkpoint
from export.steps import (
    ConvertOrder,
    MeasureOrder,
    Prepared,
    PrepareOrder,
    TimeOrder,
    convert,
    measure,
    prepare,
    time_artifacts,
)
from export.verdict import Verdict
from training.datasets import Dataset

AT_ONCE = 2  # steps that run side by side
SCRATCH = ".scratch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an export came to.

    Attributes:
        artifacts: every format that was tried.
        manifest: as published; None if a required artifact did not pass.
        verdict: pass, fail, or inconclusive if that is the worst of what was published.
        report: all of it for people, also if nothing was published.
    """

    artifacts: tuple[Artifact, ...]
    manifest: Manifest | None
    verdict: Verdict
    report: Report


def export_model(
    checkpoint: Checkpoint,
    dataset: Dataset,
    calibration: Dataset,
    *,
    options: ExportOptions,
    repository: Path,
    name: str,
    listener: Listener,
) -> Outcome:
    """Convert a checkpoint to every format, check each against it, and publish the next version.

    Args:
        checkpoint: the trained model.
        dataset: its test split decides parity.
        calibration: its training split calibrates what is quantized.
        options: what to export, and how.
        repository: the folder of models.
        name: the model's, a folder below the repository.
        listener: told of progress.

    Raises:
        SourceError: the checkpoint cannot be loaded, or the data do not fit it.
        PublishError: the repository cannot be written, or the name cannot be a folder's.
        WorkerError: the checkpoint's own process crashed.
    """
    check_model_name(name)
    with staging(repository, name) as folder:
        scratch = folder / SCRATCH
        scratch.mkdir()
        checkpoint = copy_checkpoint(checkpoint, scratch / "checkpoint")
        data = write_arrays(scratch / "data", data_arrays(dataset, calibration))
        with Workers(scratch, time_limit_s=options.time_limit_s) as workers:
            export = _Export(
                checkpoint=checkpoint,
                dataset=dataset,
                options=options,
                folder=folder,
                data=data,
                workers=workers,
                listener=listener,
            )
            prepared, artifacts = export.run()
        draft = draft_manifest(name, prepared, checkpoint, dataset, calibration, options, artifacts)
        required = tuple(options.required)
        shipped = {artifact.format for artifact in artifacts if artifact.path is not None}
        manifest = None
        if shipped.issuperset(required):
            shutil.rmtree(scratch)
            manifest = publish(draft, folder, required=required, samples=dataset.test.inputs)
        report = export_report(manifest or draft, required)
        return Outcome(artifacts=artifacts, manifest=manifest, verdict=report.verdict, report=report)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Export:
    """One export under way: its steps, two of them at once."""

    checkpoint: Checkpoint
    dataset: Dataset
    options: ExportOptions
    folder: Path
    data: Path
    workers: Workers
    listener: Listener

    @property
    def _reference(self) -> Path:
        return self.folder / SCRATCH / "reference"

    def run(self) -> tuple[Prepared, tuple[Artifact, ...]]:
        """Run all steps; Ctrl-C ends those under way."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                prepared = pool.submit(self._prepare)
                converted: dict[Format, Future[None]] = {}
                for kind in self.options.formats:  # in an order in which none waits for a later one
                    converted[kind] = pool.submit(self._convert, kind, converted)
                measured = [
                    pool.submit(self._measure, kind, prepared, converted[kind])
                    for kind in self.options.formats
                ]
                reference = prepared.result()
                artifacts = [each.result() for each in measured]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self.workers.stop()
                raise
        return reference, self._time([self._ship(artifact) for artifact in artifacts])

    def _prepare(self) -> Prepared:
        order = PrepareOrder(
            model=ReferenceModel(
                path=self.checkpoint.path,
                kind=ReferenceKind.KERAS,
                sha256=self.checkpoint.sha256,
                custom=self.options.custom,
            ),
            data=self.data,
            out=self._reference,
            source=self.dataset.source,
            data_sha256=self.dataset.sha256,
            labels=class_labels(self.dataset),
            keep_float=self.options.keep_float,
        )
        with self.listener.during(f"running the checkpoint on {len(self.dataset.test):,} samples"):
            try:
                return self.workers.call(prepare, order)
            except WorkerError as error:
                raise WorkerError(f"the checkpoint cannot be run: {error}", error.log) from error

    def _convert(self, kind: Format, others: dict[Format, Future[None]]) -> None:
        base = FORMATS[kind].made_from
        if base is not None and others[base].exception() is not None:
            raise ConversionError(f"it is made from {base}, which could not be converted")
        order = ConvertOrder(
            format=kind,
            checkpoint=self.checkpoint.path,
            custom=self.options.custom,
            data=self.data,
            folder=self.folder,
            labels=class_labels(self.dataset),
            keep_float=self.options.keep_float,
            quantizer=self.options.quantizer,
        )
        with self.listener.during(f"converting to {kind}"):
            self.workers.call(convert, order)

    def _measure(self, kind: Format, prepared: Future[Prepared], converted: Future[None]) -> Artifact:
        prepared.result()
        try:
            converted.result()
            order = MeasureOrder(
                path=self.folder / FORMATS[kind].path,
                format=kind,
                reference=self._reference,
                settings=self.options.session,
            )
            with self.listener.during(f"running {kind} on {len(self.dataset.test):,} samples"):
                artifact = self.workers.call(measure, order)
        except ConversionError as error:
            artifact = _unshipped(kind, Verdict.REFUSED, str(error))
        except WorkerError as error:
            artifact = _unshipped(kind, Verdict.FAIL, str(error), error.log)
        self.listener.done(artifact)
        return artifact

    def _ship(self, artifact: Artifact) -> Artifact:
        """An artifact as it is published: a failed one without its file."""
        path = self.folder / FORMATS[artifact.format].path
        if artifact.verdict in (Verdict.PASS, Verdict.INCONCLUSIVE):
            return artifact
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        return replace(artifact, path=None, bytes=0, sha256=None)

    def _time(self, artifacts: Sequence[Artifact]) -> tuple[Artifact, ...]:
        """Time what is shipped, side by side and with nothing else at work."""
        shipped = [artifact for artifact in artifacts if artifact.path is not None]
        order = TimeOrder(
            artifacts=tuple((self.folder / FORMATS[each.format].path, each.format) for each in shipped),
            reference=self._reference,
            settings=self.options.session,
        )
        with self.listener.during("timing"):
            try:
                latencies = self.workers.call(time_artifacts, order)
            except WorkerError:  # a figure for information: each of them has run before
                return tuple(artifacts)
        known = {each.format: latency for each, latency in zip(shipped, latencies, strict=True)}
        return tuple(replace(each, latency=known.get(each.format)) for each in artifacts)


def _unshipped(kind: Format, verdict: Verdict, reason: str, log: str = "") -> Artifact:
    return Artifact(
        format=kind,
        precision=FORMATS[kind].precision,
        path=None,
        bytes=0,
        sha256=None,
        verdict=verdict,
        reason=reason,
        log=log,
    )
