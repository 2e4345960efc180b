"""Contract 1: the run directory, written by training and read by export."""

import contextlib
import os
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from training.errors import RecordError
from training.samples import DataOptions, Task

SCHEMA_VERSION = 1
RECORD_NAME = "run.json"
CHECKPOINT_NAME = "best.keras"
HISTORY_NAME = "history.csv"
CURVES_NAME = "curves.png"


class Status(StrEnum):
    """How far a run came."""

    RUNNING = "running"
    COMPLETE = "complete"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """A model's results on one split: of a classifier the first group, of a regression the second.

    Attributes:
        samples: how many.
        loss: mean negative log-likelihood in nats, or mean squared error.
        correct: right top-1 answers.
        accuracy: correct / samples, 0 to 1.
        accuracy_low: lower end of the 95 % Wilson interval.
        accuracy_high: upper end.
        rmse: root mean squared error, in the target's units.
        mae: mean absolute error, in the target's units.
    """

    samples: int
    loss: float
    correct: int | None = None
    accuracy: float | None = None
    accuracy_low: float | None = None
    accuracy_high: float | None = None
    rmse: float | None = None
    mae: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """One pass over the training samples; losses as the recipe defines them.

    Attributes:
        epoch: from 1.
        accuracy, validation_accuracy: 0 to 1; None for regression.
        seconds: wall time, validation included.
    """

    epoch: int
    loss: float
    accuracy: float | None
    validation_loss: float
    validation_accuracy: float | None
    seconds: float

    @property
    def score(self) -> tuple[float, float]:
        """What makes one epoch better than another: validation accuracy, then a lower validation loss."""
        return (self.validation_accuracy or 0.0, -self.validation_loss)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRecord:
    """The data a run saw: where from, the content's SHA-256, the splits.

    Attributes:
        source, options: as `training.datasets.load_dataset` takes them.
        task: what was learnt.
        sha256: of the content.
        train, validation, test: samples in each split.
        index_sha256: over the validation samples' int64 indices into the training arrays.
    """

    source: str
    options: DataOptions
    task: Task
    sha256: str
    train: int
    validation: int
    test: int
    index_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """All that is needed to repeat a run and to trust its checkpoint.

    Attributes:
        recipe: its name.
        settings: every field of the recipe.
        architecture_sha256: of the file that a user's own architecture came from.
        deterministic: whether TensorFlow was held to repeatable kernels.
        parameters: trainable and other weights of the model, a count.
        best_epoch: the epoch whose weights `best.keras` holds, from 1.
        validation, test: metrics of `best.keras`; the test split is read once, after the choice.
        wall_seconds: of all sittings, if the run was resumed.
    """

    schema_version: int
    name: str
    status: Status
    created: str
    recipe: str
    settings: dict[str, object]
    architecture_sha256: str | None
    seed: int
    deterministic: bool
    parameters: int
    dataset: DataRecord
    labels: tuple[str, ...]
    packages: dict[str, str]
    history: tuple[Epoch, ...] = ()
    best_epoch: int | None = None
    checkpoint_sha256: str | None = None
    validation: Metrics | None = None
    test: Metrics | None = None
    wall_seconds: float = 0.0


def write_record(record: RunRecord, folder: Path) -> None:
    """Write `run.json` so that a reader sees the old one or the new one, never half of it."""
    write_atomically(folder / RECORD_NAME, msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file in one step; a crash leaves the old one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise


def read_record(folder: Path) -> RunRecord:
    """Read a run's record.

    Raises:
        RecordError: missing, malformed, or of an unknown schema.
    """
    path = folder / RECORD_NAME
    try:
        content = path.read_bytes()
        schema = msgspec.json.decode(content, type=dict[str, object]).get("schema_version")
        if schema != SCHEMA_VERSION:
            raise RecordError(
                f"{path} has schema_version {schema}, this keraport reads {SCHEMA_VERSION}: train again"
            )
        return msgspec.json.decode(content, type=RunRecord)
    except OSError as error:
        raise RecordError(f"{path} cannot be read ({error.strerror}): name a run directory") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(f"{path} is no run record ({error}): train again") from error


def newest_run(runs: Path) -> Path:
    """The complete run that was created last.

    Raises:
        RecordError: there is none.
    """
    complete: list[tuple[str, Path]] = []
    for path in runs.glob(f"*/{RECORD_NAME}"):
        with contextlib.suppress(RecordError):
            record = read_record(path.parent)
            if record.status is Status.COMPLETE:
                complete.append((record.created, path.parent))
    if not complete:
        raise RecordError(f"there is no complete run in {runs}/: run `keraport train` first")
    return max(complete)[1]
