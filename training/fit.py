"""The training loop: from a data set and a recipe to a finished run directory."""

import dataclasses
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from training.architectures import PROBABILITIES, notebook_cnn, served_form
from training.batches import evaluation_batches, training_batches, validation_indices
from training.checkpoint import BestCheckpoint
from training.datasets import Dataset, Samples
from training.errors import DatasetError
from training.metrics import classification_metrics
from training.recipes import Recipe
from training.record import CHECKPOINT_NAME, Epoch, Metrics, RunRecord, Status
from training.rundir import begin_run, end_run

if TYPE_CHECKING:
    import keras


class Listener(Protocol):
    """Whoever wants to know how training goes."""

    def say(self, text: str) -> None:
        """Take a line or paragraph for people."""

    def step(self, epoch: int, step: int, steps: int) -> None:
        """Note that step `step` of `steps` in epoch `epoch` is done; all count from 1."""

    def epoch(self, epoch: Epoch, *, best: bool) -> None:
        """Note that an epoch is done, and whether it is the best so far."""


def train(recipe: Recipe, dataset: Dataset, *, out: Path, seed: int, listener: Listener) -> RunRecord:
    """Train, keep the best checkpoint by validation accuracy, and measure it once on the test split.

    Args:
        recipe: how.
        dataset: uint8 images with a training split.
        out: the run directory, which must not exist yet.
        seed: of weights, order, dropout and augmentation.
        listener: told of progress.

    Returns:
        The finished run's record, as written to `out`.

    Raises:
        DatasetError: the data are not uint8 images, or have no training split.
        RecordError: `out` exists or cannot be written.
        TrainingError: the loss became NaN or infinite.
    """
    import keras

    started = time.monotonic()
    source = _training_images(dataset)
    held_out = validation_indices(source.y, recipe)
    kept = np.setdiff1d(np.arange(len(source)), held_out)
    fitting, validation = source.take(kept), source.take(held_out)

    keras.utils.set_random_seed(seed)
    core = notebook_cnn(
        input_shape=source.inputs["x"].shape[1:], classes=len(dataset.labels), dropout=recipe.dropout
    )
    served = served_form(core)
    record = begin_run(out, recipe, dataset, seed, served.count_params(), held_out)
    served.summary(print_fn=listener.say)

    best = BestCheckpoint(served, out / CHECKPOINT_NAME, listener.epoch)
    try:
        _fit(core, recipe, fitting, validation, len(dataset.labels), seed, best, listener)
        model = keras.models.load_model(best.path, compile=False, safe_mode=True)
        record = dataclasses.replace(
            record,
            validation=_measure(model, validation),
            test=_measure(model, dataset.test),
            wall_seconds=round(time.monotonic() - started, 1),
        )
    except BaseException:
        end_run(record, best, Status.INTERRUPTED, out)
        raise
    return end_run(record, best, Status.COMPLETE, out)


def _training_images(dataset: Dataset) -> Samples:
    if dataset.train is None:
        raise DatasetError(f"{dataset.source} has no training split: add x_train and y_train")
    images = dataset.train.inputs.get("x", np.zeros(0))
    if images.dtype != np.uint8 or images.ndim != 4 or min(images.shape[1:3]) < 10:  # noqa: PLR2004
        raise DatasetError(
            f"{dataset.source} holds {images.dtype} of shape {images.shape}: the built-in recipes learn from "
            "uint8 images (samples, height, width, channels) of at least 10 x 10 pixels"
        )
    if len(dataset.train) < 2 or len(dataset.labels) < 2:  # noqa: PLR2004
        raise DatasetError(f"{dataset.source}: training needs at least two samples and two classes")
    return dataset.train


def _fit(
    core: "keras.Sequential",
    recipe: Recipe,
    fitting: Samples,
    validation: Samples,
    classes: int,
    seed: int,
    best: BestCheckpoint,
    listener: Listener,
) -> None:
    import keras

    steps = math.ceil(len(fitting) / recipe.batch_size)
    core.compile(
        optimizer=keras.optimizers.Adam(_learning_rate(recipe, steps)),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
        jit_compile=False,  # XLA's compilation costs more than it saves on a CPU
    )
    callbacks: list[Any] = [
        keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, _: best.begin(epoch + 1),
            on_epoch_end=lambda epoch, logs: best.end(epoch + 1, logs),
            on_train_batch_end=lambda step, **_: listener.step(best.running, step + 1, steps),
        )
    ]
    if recipe.stop_patience:
        callbacks.append(
            keras.callbacks.EarlyStopping(
                "val_accuracy", mode="max", min_delta=recipe.stop_delta, patience=recipe.stop_patience
            )
        )
    core.fit(
        training_batches(fitting, classes, recipe, seed=seed),
        validation_data=evaluation_batches(validation, classes),
        epochs=recipe.epochs,
        steps_per_epoch=steps,
        shuffle=False,  # the batches come shuffled
        callbacks=callbacks,
        verbose=0,
    )


def _learning_rate(recipe: Recipe, steps: int) -> Any:  # noqa: ANN401  (a number or a Keras schedule)
    import keras

    if not recipe.cosine_schedule:
        return recipe.learning_rate
    total = steps * recipe.epochs
    warmup = round(total * recipe.warmup)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.05 * recipe.learning_rate if warmup else recipe.learning_rate,
        warmup_target=recipe.learning_rate if warmup else None,
        warmup_steps=warmup,
        decay_steps=max(1, total - warmup),
        alpha=0.01,
    )


def _measure(model: "keras.Model", samples: Samples) -> Metrics:
    answers = model.predict(samples.inputs["x"], batch_size=1000, verbose=0)
    return classification_metrics(answers[PROBABILITIES], samples.y)
