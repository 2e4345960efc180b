"""A run on disk while it goes on: after each epoch the state to go on from, the record, the best checkpoint.

Each epoch is committed in an order that a kill at any moment leaves usable: the state and the candidate under
names of their own epoch, then the record that counts them, then the candidate's move to `best.keras`.
`reopen` finishes or undoes whatever was under way.
"""

import contextlib
import dataclasses
import hashlib
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from training.errors import RecordError, TrainingError
from training.record import (
    CHECKPOINT_NAME,
    Epoch,
    RunRecord,
    Status,
    read_record,
    write_record,
)

if TYPE_CHECKING:
    import keras

LEFTOVER = re.compile(r"\.(state|best)-(\d+)\.")


class EpochListener(Protocol):
    """Called after each epoch."""

    def __call__(self, epoch: Epoch, *, best: bool) -> None:
        """Take the epoch's figures, and whether they are the best so far."""


class Journal:
    """Keeps a run directory up to date.

    Best is the highest validation accuracy, on a tie or without one the lowest validation loss.

    Attributes:
        out: the run directory.
        record: as last written.
        running: the epoch under way, from 1.
    """

    def __init__(
        self,
        out: Path,
        record: RunRecord,
        *,
        core: "keras.Model",
        served: "keras.Model",
        listener: EpochListener,
        started: float,
    ) -> None:
        """Take over a run's record.

        Args:
            out: the run directory.
            record: of the run so far, earlier sittings included.
            core: the model in training, whose state is kept.
            served: the form of it that is saved as the best.
            listener: told of each epoch.
            started: when this sitting began, as `time.monotonic` gives it.
        """
        self.out = out
        self.record = record
        self.running = 0
        self._core = core
        self._served = served
        self._listener = listener
        self._began = 0.0
        self._offset = record.wall_seconds - started

    def begin(self, epoch: int) -> None:
        """Note the start of an epoch, counted from 1."""
        self.running = epoch
        self._began = time.monotonic()

    def end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Commit an epoch with the figures that Keras logs.

        Raises:
            TrainingError: a loss is NaN or infinite, or the disk is full; earlier epochs stay.
        """
        entry = Epoch(
            epoch=epoch,
            loss=float(logs["loss"]),
            accuracy=logs.get("accuracy"),
            validation_loss=float(logs["val_loss"]),
            validation_accuracy=logs.get("val_accuracy"),
            seconds=round(time.monotonic() - self._began, 2),
        )
        if not math.isfinite(entry.loss) or not math.isfinite(entry.validation_loss):
            raise TrainingError(f"the loss became {entry.loss} in epoch {epoch}: lower the learning rate")
        best = entry.score > max((each.score for each in self.record.history), default=(-1.0, -math.inf))
        with self.disk_errors():
            self._commit(entry, best=best)
        self._listener(entry, best=best)

    def keep_state(self, epoch: int) -> None:
        """Save what training goes on from after this epoch: weights and optimizer, before any averaging.

        Raises:
            TrainingError: the disk is full.
        """
        with self.disk_errors():
            _write(_state(self.out, epoch), self._core.save_weights)

    def close(self, status: Status) -> RunRecord:
        """The record with a status, and with the time of this sitting."""
        seconds = round(self._offset + time.monotonic(), 1)
        return dataclasses.replace(self.record, status=status, wall_seconds=seconds)

    def _commit(self, entry: Epoch, *, best: bool) -> None:
        record = dataclasses.replace(self.close(Status.RUNNING), history=(*self.record.history, entry))
        if best:
            candidate = _candidate(self.out, entry.epoch)
            _write(candidate, self._served.save)
            sha256 = _sha256(candidate)
            record = dataclasses.replace(record, best_epoch=entry.epoch, checkpoint_sha256=sha256)
        write_record(record, self.out)
        self.record = record
        settle(self.out, record)

    @contextlib.contextmanager
    def disk_errors(self) -> Iterator[None]:
        """Turn a failure to write into a TrainingError that says how to go on."""
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise TrainingError(
                f"cannot write to {self.out} ({reason}): free some space, "
                f"then go on with keraport train --resume {self.out}"
            ) from error


def reopen(out: Path) -> RunRecord:
    """Prepare an unfinished run to go on.

    Raises:
        RecordError: there is no such run, it is complete, or what it needs to go on is gone or changed.
    """
    record = read_record(out)
    if record.status is Status.COMPLETE:
        raise RecordError(f"{out} is complete: there is nothing to resume")
    settle(out, record)
    if record.history and not _state(out, len(record.history)).exists():
        raise RecordError(f"{out} has lost the state of epoch {len(record.history)}: train anew")
    if record.best_epoch is not None and _sha256(out / CHECKPOINT_NAME) != record.checkpoint_sha256:
        raise RecordError(f"{CHECKPOINT_NAME} of {out} is missing, or is not what was saved: train anew")
    return record


def settle(out: Path, record: RunRecord) -> None:
    """Bring the files into line with the record: promote its best epoch's candidate, drop leftovers."""
    candidate = _candidate(out, record.best_epoch or 0)
    if candidate.exists():
        candidate.replace(out / CHECKPOINT_NAME)
    keep = None if record.status is Status.COMPLETE else _state(out, len(record.history))
    for path in out.iterdir():
        if LEFTOVER.match(path.name) and path != keep:
            path.unlink()


def restore(out: Path, record: RunRecord, core: "keras.Model") -> None:
    """Load the weights and the optimizer's state of the last finished epoch into a compiled model.

    Raises:
        RecordError: the file is damaged, or of another model.
    """
    if not record.history:
        return
    core.optimizer.build(core.trainable_variables)
    try:
        core.load_weights(_state(out, len(record.history)))
    except Exception as error:
        raise RecordError(
            f"{out} holds a damaged state of epoch {len(record.history)} ({type(error).__name__}): train anew"
        ) from error


def _sha256(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None


def _state(out: Path, epoch: int) -> Path:
    return out / f".state-{epoch}.weights.h5"


def _candidate(out: Path, epoch: int) -> Path:
    return out / f".best-{epoch}.keras"


def _write(path: Path, save: Callable[[Path], object]) -> None:
    """Save under a passing name that keeps the suffixes Keras insists on, then rename."""
    stem, dot, suffixes = path.name[1:].partition(".")
    passing = path.with_name(f".{stem}.part{dot}{suffixes}")
    try:
        save(passing)
        passing.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            passing.unlink()
        raise
