"""Parity of a live server: the server is the candidate, a published version says what it should be."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.check import Target, find_own_run, find_reference
from export.custom import CustomCode
from export.errors import SourceError, first_line
from export.formats import FORMATS, Format
from export.judge import judge_runner
from export.manifest import Artifact, Manifest
from export.reference import Reference, ReferenceModel
from export.runner import Answer, Feed, RunError, Runner, Unheld
from export.source import find_checkpoint, load_run_data
from export.verdict import Comparison, Verdict
from training.datasets import Dataset, load_dataset
from training.errors import TrainingError

LISTED_ROWS = 100
SERVED = FORMATS[Format.ONNX]  # a server must give what this file gives, as exactly as the file itself must


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Samples by how the server's answers compare.

    Attributes:
        compared: how many.
        identical: bit for bit, in every output.
        beyond: over the tolerance in some output.
        first_beyond: the first hundred of these, counted from 0.
    """

    compared: int
    identical: int
    beyond: int
    first_beyond: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedCheck:
    """What a live server's answers show.

    Attributes:
        url: of the server.
        model, version: that it was asked for.
        verdict, reason: what follows.
        comparison: the numbers behind it.
        rows: by their distance; None where the answers cannot be compared row by row.
        reference_sha256: of the model that it was held to.
        data_sha256: of the samples' data set.
    """

    url: str
    model: str
    version: int
    verdict: Verdict
    reason: str
    comparison: Comparison
    rows: Rows | None
    reference_sha256: str
    data_sha256: str

    @property
    def artifact(self) -> Artifact:
        """The same as a report's row: an ONNX model of which there is no file at hand."""
        return Artifact(
            format=Format.ONNX,
            precision=SERVED.precision,
            path=None,
            bytes=0,
            sha256=None,
            verdict=self.verdict,
            reason=self.reason,
            comparison=self.comparison,
        )


def require_version(target: Target, path: Path) -> Manifest:
    """The manifest of the version that a server is held to.

    Raises:
        SourceError: the target belongs to none.
    """
    if target.manifest is None:
        raise SourceError(f"{path} is no published version: name the one that the server should serve")
    return target.manifest


def find_standard(
    target: Target, *, reference: Path | None, data: str | None, runs: Path, custom: CustomCode | None
) -> tuple[ReferenceModel, Dataset]:
    """What a server is held to, and the samples to ask it.

    Args:
        target: the published version.
        reference: another model than its `model.onnx`.
        data: of a `--data` option; by default the reference's, else the run's own, else the version's.
        runs: the folder of runs.
        custom: code of layers that are not Keras's own.

    Raises:
        SourceError: no such reference, or the data cannot be found again.
        ManifestError: a version that is not what its manifest says.
    """
    assert target.folder is not None  # noqa: S101  (a target with a manifest has a folder)
    model, own = find_reference(reference or target.folder, custom)
    if data is not None:
        return model, load_dataset(data)
    return model, own or own_data(target, target.folder, runs)


def own_data(target: Target, folder: Path, runs: Path) -> Dataset:
    """The data that a published version was checked on, found again by its run or its manifest.

    Args:
        target: the version.
        folder: its folder.
        runs: the folder of runs.

    Raises:
        SourceError: they cannot be found, or are others by now.
    """
    assert target.manifest is not None  # noqa: S101  (the caller has one)
    with contextlib.suppress(SourceError, TrainingError):  # a server's machine need not have the run
        return load_run_data(find_checkpoint(find_own_run(target, folder, runs)))
    known = target.manifest.dataset
    try:
        dataset = load_dataset(known.name)
    except TrainingError as error:
        raise SourceError(
            f"the data of {folder} cannot be loaded ({first_line(error)}): name them with --data"
        ) from error
    if dataset.sha256 != known.sha256:
        raise SourceError(f"{known.name} is not what {folder} was checked on any more: name it with --data")
    return dataset


def check_server(
    runner: Runner, reference: Reference, *, url: str, manifest: Manifest, margin_points: float | None = None
) -> ServedCheck:
    """Ask a server for all samples, compare its answers row by row.

    Args:
        runner: of the server.
        reference: what it is held to.
        url: of the server, for the record.
        manifest: of the version that it should serve.
        margin_points: instead of the tier's margin.
    """
    kept = _Kept(runner)
    try:
        comparison = judge_runner(kept, SERVED, reference, margin_points)
    except RunError as error:
        comparison = Comparison(
            verdict=Verdict.FAIL, reason=f"it does not answer: {error}", tier=SERVED.tier, samples=0
        )
    return ServedCheck(
        url=url,
        model=manifest.model,
        version=manifest.version,
        verdict=comparison.verdict,
        reason=comparison.reason,
        comparison=comparison,
        rows=_count_rows(reference.answer, kept.answer, comparison),
        reference_sha256=reference.sha256,
        data_sha256=reference.data_sha256,
    )


class _Kept(Unheld):
    """A runner whose first answers are kept."""

    def __init__(self, runner: Runner) -> None:
        self.answer: Answer | None = None
        self._runner = runner

    def run(self, feed: Feed) -> Answer:
        answer = self._runner.run(feed)
        if self.answer is None:
            self.answer = answer
        return answer


def _count_rows(reference: Answer, answer: Answer | None, comparison: Comparison) -> Rows | None:
    if answer is None or not comparison.outputs:
        return None
    count = comparison.samples
    identical, beyond = np.ones(count, np.bool_), np.zeros(count, np.bool_)
    for output in comparison.outputs:
        before, after = (answers[output.output].reshape(count, -1) for answers in (reference, answer))
        same = before == after
        identical &= same.all(axis=1)
        if before.dtype.kind in "OSU":  # texts
            beyond |= ~same.all(axis=1)
        elif output.tolerance is not None:
            distance = np.abs(after.astype(np.float64) - before.astype(np.float64))
            beyond |= (distance > output.tolerance).any(axis=1)
            worst = output.worst_column
            if worst is not None:
                width = reference[output.output].shape[-1] if worst.column is not None else 1
                beyond |= (distance[:, worst.column or 0 :: width] > worst.tolerance).any(axis=1)
    places = np.flatnonzero(beyond)
    return Rows(
        compared=count,
        identical=int(identical.sum()),
        beyond=len(places),
        first_beyond=tuple(places[:LISTED_ROWS].tolist()),
    )
