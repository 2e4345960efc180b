"""The training loop: from a data set and a recipe to a finished run directory."""

import contextlib
import dataclasses
import functools
import math
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from training.architectures import PROBABILITIES
from training.averaging import WeightAverage
from training.balance import split_warnings
from training.batches import evaluation_batches, training_batches, validation_indices
from training.checks import split_to_learn
from training.core import Core, build_core
from training.datasets import Dataset, Samples, Task
from training.errors import RecordError
from training.events import epoch_events, require_tensorboard
from training.interrupt import held_interrupts
from training.journal import Journal, reopen, restore
from training.locks import locked
from training.metrics import classification_metrics, regression_metrics
from training.plan import Plan
from training.recipes import Recipe
from training.record import CHECKPOINT_NAME, Epoch, Metrics, RunRecord, Status
from training.rundir import begin_run, end_run, write_figures
from training.schedule import last_rate, make_optimizer
from training.stopping import has_stopped

if TYPE_CHECKING:
    import keras

PREDICTION_BATCH = 1000


class Listener(Protocol):
    """Whoever wants to know how training goes."""

    def say(self, text: str) -> None:
        """Take a line or paragraph for people."""

    def step(self, epoch: int, step: int, steps: int) -> None:
        """Note that step `step` of `steps` in epoch `epoch` is done; all count from 1."""

    def epoch(self, epoch: Epoch, *, best: bool) -> None:
        """Note that an epoch is done, and whether it is the best so far."""


def train(plan: Plan, dataset: Dataset, listener: Listener) -> RunRecord:
    """Train, keep the best checkpoint by validation results, and measure it once on the test split.

    Args:
        plan: what to do.
        dataset: with a training split.
        listener: told of progress.

    Returns:
        The finished run's record, as written to the run directory.

    Raises:
        DatasetError: the data have no training split or no such target, or do not fit the architecture.
        RecipeError: the architecture cannot be built.
        RecordError: the run directory exists, cannot be written, or cannot be resumed.
        TrainingError: the loss became NaN or infinite, or the disk filled up.
        ModuleNotFoundError: event files are asked for, and TensorBoard is not installed.
    """
    import keras
    import tensorflow as tf

    started = time.monotonic()
    learnt = split_to_learn(dataset)
    if plan.tensorboard:
        require_tensorboard()
    if plan.deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(plan.seed)
    held_out = validation_indices(learnt.y, plan.recipe)
    fitting = learnt.take(np.setdiff1d(np.arange(len(learnt)), held_out))
    validation = learnt.take(held_out)
    for warning in split_warnings(dataset, fitting, validation):
        listener.say(f"warning: {warning}")
    core = build_core(plan.recipe, dataset)
    with _run(plan, dataset, core, held_out) as record:
        core.served.summary(print_fn=listener.say)
        journal = Journal(
            plan.out,
            record,
            core=core.model,
            served=core.served,
            listener=listener.epoch,
            started=started,
        )
        with _marked_if_it_fails(journal):
            _fit(plan, core, journal, fitting, validation, listener)
            finished = _measure(plan, core, journal, validation, dataset)
        with journal.disk_errors():
            end_run(finished, plan.out)
    return finished


@contextlib.contextmanager
def _marked_if_it_fails(journal: Journal) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # a full disk must not hide what ended the run
            end_run(journal.close(Status.INTERRUPTED), journal.out)
        raise


@contextlib.contextmanager
def _run(plan: Plan, dataset: Dataset, core: Core, held_out: NDArray[np.int64]) -> Iterator[RunRecord]:
    """The record of a run that begins or goes on, with its directory locked."""
    if plan.resume:
        with locked(plan.out):
            yield _reopened(plan, dataset, core)
    else:
        record = begin_run(plan, dataset, core, held_out)
        with locked(plan.out):
            yield record


def _reopened(plan: Plan, dataset: Dataset, core: Core) -> RunRecord:
    record = reopen(plan.out)
    changed = [
        what
        for what, before, now in (
            ("the data", record.dataset.sha256, dataset.sha256),
            ("the architecture", record.architecture_sha256, core.source_sha256),
        )
        if before != now
    ]
    if changed:
        raise RecordError(f"{' and '.join(changed)} of {plan.out} changed since it began: train anew")
    return dataclasses.replace(record, status=Status.RUNNING)


def _fit(
    plan: Plan, core: Core, journal: Journal, fitting: Samples, validation: Samples, listener: Listener
) -> None:
    recipe, model, done = plan.recipe, core.model, len(journal.record.history)
    steps = math.ceil(len(fitting) / recipe.batch_size)
    model.compile(
        optimizer=make_optimizer(recipe, steps),
        loss=core.loss(recipe.label_smoothing),
        metrics=["accuracy"] if core.classes else [],
        jit_compile=False,  # XLA's compilation costs more than it saves on a CPU
    )
    restore(plan.out, journal.record, model)
    callbacks: list[keras.callbacks.Callback] = []
    with contextlib.ExitStack() as stack:
        check = stack.enter_context(held_interrupts())
        if plan.tensorboard:
            rate = functools.partial(last_rate, recipe, steps)
            write = stack.enter_context(epoch_events(plan.out, journal.record.history, rate))
            callbacks.append(_event_writer(journal, write))
        callbacks.insert(0, _follower(model, recipe, journal, steps, listener, check))
        if has_stopped(journal.record.history, recipe):
            return
        model.fit(
            training_batches(fitting, core.classes, recipe, seed=plan.seed, first_epoch=done),
            validation_data=evaluation_batches(validation, core.classes),
            initial_epoch=done,
            epochs=recipe.epochs,
            steps_per_epoch=steps,
            shuffle=False,  # the batches come shuffled
            callbacks=callbacks,
            verbose=0,
        )
        check()


def _follower(
    model: "keras.Model",
    recipe: Recipe,
    journal: Journal,
    steps: int,
    listener: Listener,
    check: Callable[[], None],
) -> "keras.callbacks.Callback":
    """The callback that averages weights, keeps the journal, and ends the run if that was asked for.

    Averaged weights are in the model for validation and the checkpoint; the state to go on from is its own.
    A resumed run begins its average anew.
    """
    import keras

    average = WeightAverage(model, recipe.average)

    def begin_epoch(epoch: int, _: object) -> None:
        average.show(averaged=False)
        journal.begin(epoch + 1)

    def end_step(step: int, **_: object) -> None:
        average.update()
        listener.step(journal.running, step + 1, steps)
        check()

    def end_epoch(epoch: int, logs: dict[str, float]) -> None:
        average.show(averaged=False)
        journal.keep_state(epoch + 1)
        average.show(averaged=True)
        journal.end(epoch + 1, logs)
        model.stop_training |= has_stopped(journal.record.history, recipe)

    return keras.callbacks.LambdaCallback(
        on_epoch_begin=begin_epoch,
        on_train_batch_end=end_step,
        on_test_begin=lambda _: average.show(averaged=True),
        on_test_batch_end=lambda *_, **__: check(),
        on_epoch_end=end_epoch,
    )


def _event_writer(journal: Journal, write: Callable[[Epoch], None]) -> "keras.callbacks.Callback":
    import keras

    return keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: write(journal.record.history[-1]))


def _measure(plan: Plan, core: Core, journal: Journal, validation: Samples, dataset: Dataset) -> RunRecord:
    """Load the best checkpoint, draw and measure what it does, the test split last and once."""
    import keras

    best = keras.models.load_model(
        plan.out / CHECKPOINT_NAME, custom_objects=dict(core.objects), compile=False, safe_mode=True
    )
    answers = _answers(best, validation, core)
    with journal.disk_errors():
        write_figures(plan.out, answers, validation, dataset)
    test = _metrics(_answers(best, dataset.test, core), dataset.test, dataset.task)
    return dataclasses.replace(
        journal.close(Status.COMPLETE),
        validation=_metrics(answers, validation, dataset.task),
        test=test,
    )


def _answers(model: "keras.Model", samples: Samples, core: Core) -> NDArray[Any]:
    """Probabilities (samples, classes), or for regression values (samples, values)."""
    inputs: Any = dict(samples.inputs) if len(samples.inputs) > 1 else next(iter(samples.inputs.values()))
    outputs: Any = model.predict(inputs, batch_size=PREDICTION_BATCH, verbose=0)
    answers: NDArray[Any] = outputs[PROBABILITIES] if isinstance(outputs, dict) else outputs
    if not core.logits:
        return answers
    powers = np.exp(answers - answers.max(axis=1, keepdims=True))
    shares: NDArray[Any] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _metrics(answers: NDArray[Any], samples: Samples, task: Task) -> Metrics:
    if task is Task.REGRESSION:
        return regression_metrics(answers, samples.y)
    return classification_metrics(answers, samples.y)
