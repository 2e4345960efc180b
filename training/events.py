"""A run's epochs as TensorBoard event files."""

import contextlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from training.record import Epoch

FOLDER = "tensorboard"
TRAINING, VALIDATION = "train", "validation"  # runs of their own, whose curves TensorBoard lays over another


def require_tensorboard() -> None:
    """Raise ModuleNotFoundError now rather than in the first epoch; TensorFlow cannot write without it."""
    import tensorboard  # noqa: F401


@contextlib.contextmanager
def epoch_events(
    out: Path, history: Sequence[Epoch], rate: Callable[[int], float]
) -> Iterator[Callable[[Epoch], None]]:
    """Write the epochs done so far, and yield what writes each further one.

    Old files are replaced: those of a killed run may lack its last epoch, and a second file with the same
    epochs would double the curves.

    Args:
        out: the run directory.
        history: the epochs done so far.
        rate: gives an epoch's learning rate.
    """
    import tensorflow as tf

    with contextlib.ExitStack() as stack:
        writers = {}
        for name in (TRAINING, VALIDATION):
            folder = out / FOLDER / name
            if folder.exists():
                shutil.rmtree(folder)
            writers[name] = tf.summary.create_file_writer(str(folder))
            stack.callback(writers[name].close)

        def write(epoch: Epoch) -> None:
            for name, values in _scalars(epoch, rate(epoch.epoch)).items():
                _write(writers[name], epoch.epoch, values)

        for epoch in history:
            write(epoch)
        yield write


def _scalars(epoch: Epoch, rate: float) -> dict[str, dict[str, float | None]]:
    return {
        TRAINING: {"loss": epoch.loss, "accuracy": epoch.accuracy, "learning_rate": rate},
        VALIDATION: {"loss": epoch.validation_loss, "accuracy": epoch.validation_accuracy},
    }


def _write(writer: Any, step: int, values: dict[str, float | None]) -> None:  # noqa: ANN401  (TensorFlow's)
    import tensorflow as tf

    with writer.as_default():
        for name, value in values.items():
            if value is not None:
                tf.summary.scalar(name, value, step=step)
    writer.flush()
