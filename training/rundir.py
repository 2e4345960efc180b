"""The run directory while it is being filled: created once, its record rewritten as the run goes on."""

import contextlib
import csv
import dataclasses
import hashlib
import importlib.metadata
import io
import platform
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from training.batches import has_pixels
from training.core import Core
from training.datasets import Dataset, Samples, Task
from training.errors import RecordError
from training.figures import evaluation_figures
from training.journal import settle
from training.plan import Plan
from training.plots import training_curves
from training.record import (
    CURVES_NAME,
    HISTORY_NAME,
    SCHEMA_VERSION,
    DataRecord,
    Epoch,
    RunRecord,
    Status,
    write_atomically,
    write_record,
)

# The optimizer's state counts three, twice while it is replaced; the checkpoint likewise.
WEIGHT_COPIES, BYTES_A_WEIGHT, SPARE_BYTES = 10, 4, 5_000_000

PACKAGES = ("keraport", "tensorflow", "tensorflow-cpu", "keras", "numpy")


def begin_run(plan: Plan, dataset: Dataset, core: Core, held_out: NDArray[np.int64]) -> RunRecord:
    """Create the run directory and write its first record, with the status `running`.

    Args:
        plan: what the run is to do.
        dataset: on what.
        core: the model to train.
        held_out: indices of the validation samples.

    Raises:
        RecordError: the directory exists, cannot be created, or its disk is full.
    """
    parameters = core.served.count_params()
    _create(plan.out, WEIGHT_COPIES * BYTES_A_WEIGHT * parameters + SPARE_BYTES)
    train_samples = 0 if dataset.train is None else len(dataset.train)
    packages = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            packages[package] = importlib.metadata.version(package)
    settings = msgspec.to_builtins(plan.recipe)
    record = RunRecord(
        schema_version=SCHEMA_VERSION,
        name=plan.out.name,
        status=Status.RUNNING,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        recipe=settings.pop("name"),
        settings=settings,
        architecture_sha256=core.source_sha256,
        seed=plan.seed,
        deterministic=plan.deterministic,
        parameters=parameters,
        dataset=DataRecord(
            source=dataset.source,
            options=plan.options,
            task=dataset.task,
            sha256=dataset.sha256,
            train=train_samples - len(held_out),
            validation=len(held_out),
            test=len(dataset.test),
            index_sha256=hashlib.sha256(held_out.astype(np.int64).tobytes()).hexdigest(),
        ),
        labels=dataset.labels,
        packages=packages,
    )
    _write_first(record, plan.out)
    return record


def end_run(record: RunRecord, out: Path) -> None:
    """Write the final record, and the history as CSV and PNG if an epoch was finished."""
    if record.best_epoch is not None:
        write_atomically(out / HISTORY_NAME, _history_csv(record.history))
        write_atomically(out / CURVES_NAME, training_curves(record.history, record.best_epoch))
    write_record(record, out)
    settle(out, record)


def write_figures(out: Path, probabilities: NDArray[Any], validation: Samples, dataset: Dataset) -> None:
    """Draw what a classifier does on the validation split; nothing for regression."""
    if dataset.task is not Task.CLASSIFICATION:
        return
    images = validation.inputs["x"] if has_pixels(validation.inputs) else None
    figures = evaluation_figures(probabilities, validation.y, dataset.labels, images)
    for name, content in figures.items():
        write_atomically(out / name, content)


def _create(out: Path, needed_bytes: int) -> None:
    try:
        out.mkdir(parents=True)
    except FileExistsError:
        raise RecordError(f"{out} exists: old runs are kept, choose another --out") from None
    except OSError as error:
        raise RecordError(f"cannot create {out} ({error.strerror}): choose another --out") from error
    free = shutil.disk_usage(out).free
    if free < needed_bytes:
        out.rmdir()
        raise RecordError(
            f"{out} has {free / 1e6:.0f} MB free, a run may need {needed_bytes / 1e6:.0f}: free some space"
        )


def _write_first(record: RunRecord, out: Path) -> None:
    try:
        write_record(record, out)
    except OSError as error:
        out.rmdir()
        raise RecordError(f"cannot write to {out} ({error.strerror}): choose another --out") from error


def _history_csv(history: tuple[Epoch, ...]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in dataclasses.fields(Epoch))
    writer.writerows(dataclasses.astuple(epoch) for epoch in history)
    return text.getvalue().encode()
