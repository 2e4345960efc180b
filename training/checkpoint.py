"""The best checkpoint: chosen by validation accuracy alone, replaced atomically as it improves."""

import contextlib
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from training.errors import TrainingError
from training.record import Epoch

if TYPE_CHECKING:
    import keras


class EpochListener(Protocol):
    """Called after each epoch."""

    def __call__(self, epoch: Epoch, *, best: bool) -> None:
        """Take the epoch's figures, and whether they are the best so far."""


class BestCheckpoint:
    """Follows the epochs and keeps on disk the model of the best one.

    Best is the highest validation accuracy, on a tie the lower validation loss.

    Attributes:
        path: of the `.keras` file.
        history: the epochs so far.
        epoch: the best of them, from 1; 0 before the first is done.
        running: the epoch under way.
    """

    def __init__(self, model: "keras.Model", path: Path, listener: EpochListener) -> None:
        self.path = path
        self.history: list[Epoch] = []
        self.epoch = 0
        self.running = 0
        self._model = model
        self._listener = listener
        self._best = (-1.0, -math.inf)
        self._began = 0.0

    def begin(self, epoch: int) -> None:
        """Note the start of an epoch, counted from 1."""
        self.running = epoch
        self._began = time.monotonic()

    def end(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Take an epoch's figures as Keras logs them, and save the model if it is the best.

        Raises:
            TrainingError: a loss is NaN or infinite; the best checkpoint so far stays.
        """
        entry = Epoch(
            epoch=epoch,
            loss=float(logs["loss"]),
            accuracy=float(logs["accuracy"]),
            validation_loss=float(logs["val_loss"]),
            validation_accuracy=float(logs["val_accuracy"]),
            seconds=round(time.monotonic() - self._began, 2),
        )
        if not math.isfinite(entry.loss) or not math.isfinite(entry.validation_loss):
            raise TrainingError(f"the loss became {entry.loss} in epoch {epoch}: lower the learning rate")
        self.history.append(entry)
        score = (entry.validation_accuracy, -entry.validation_loss)
        improved = score > self._best
        if improved:
            self._best, self.epoch = score, epoch
            self._save()
        self._listener(entry, best=improved)

    def _save(self) -> None:
        temporary = self.path.with_name(f".{self.path.name}.tmp.keras")
        try:
            self._model.save(temporary)
            temporary.replace(self.path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
            raise
