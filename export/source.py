"""Where an export starts: a run, a `.keras` file, or a folder of runs."""

import re
import shutil
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from export.custom import CustomCode, load_custom
from export.errors import SourceError, first_line
from export.manifest import content_sha256
from training.datasets import Dataset, load_dataset
from training.record import CHECKPOINT_NAME, RECORD_NAME, RunRecord, Status, newest_run, read_record

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A trained model on disk.

    Attributes:
        path: of the `.keras` file.
        sha256: of its bytes.
        record: of the run it belongs to; None for a bare file.
    """

    path: Path
    sha256: str
    record: RunRecord | None


def find_checkpoint(source: Path) -> Checkpoint:
    """Find the checkpoint that a command line names.

    Args:
        source: a run directory, a `.keras` file, or a folder of runs, whose newest complete one is taken.

    Raises:
        SourceError: nothing there, a run that is not complete, or a changed checkpoint.
        RecordError: a run record that cannot be read.
    """
    if source.suffix == ".keras" and source.is_file():
        return Checkpoint(path=source, sha256=content_sha256(source), record=None)
    if not source.is_dir() or source.suffix == ".keras":
        raise SourceError(f"there is no run or .keras file {source}: train first, or check the path")
    run = source if (source / RECORD_NAME).exists() else newest_run(source)
    record = read_record(run)
    if record.status is not Status.COMPLETE:
        raise SourceError(f"{run} is {record.status}, not complete: train again")
    path = run / CHECKPOINT_NAME
    if not path.is_file():
        raise SourceError(f"{path} is missing: train again")
    sha256 = content_sha256(path)
    if sha256 != record.checkpoint_sha256:
        raise SourceError(f"{path} is not the checkpoint that {run / RECORD_NAME} describes: train again")
    return Checkpoint(path=path, sha256=sha256, record=record)


def load_run_data(checkpoint: Checkpoint) -> Dataset:
    """Load the data that a run was trained on, read as they were then.

    Raises:
        SourceError: the checkpoint belongs to no run, or the data have changed since.
        DatasetError: the data cannot be read.
    """
    if checkpoint.record is None:
        raise SourceError(
            f"{checkpoint.path} says nothing of its data: add --data, so that parity can be checked"
        )
    known = checkpoint.record.dataset
    dataset = load_dataset(known.source, known.options)
    if dataset.sha256 != known.sha256:
        raise SourceError(
            f"{known.source} changed since {checkpoint.record.name} was trained: name it with --data"
        )
    return dataset


def copy_checkpoint(checkpoint: Checkpoint, folder: Path) -> Checkpoint:
    """Put a checkpoint where nobody else writes: every step must see the bytes that the manifest names.

    Args:
        checkpoint: the original.
        folder: to make for the copy.

    Raises:
        SourceError: it changed since it was found.
    """
    copy = folder / checkpoint.path.name
    folder.mkdir()
    shutil.copyfile(checkpoint.path, copy)
    if content_sha256(copy) != checkpoint.sha256:
        raise SourceError(f"{checkpoint.path} changes while it is read: wait until it is finished")
    return replace(checkpoint, path=copy)


def load_checkpoint(path: Path, custom: CustomCode | None = None) -> "keras.Model":
    """Load a `.keras` file in safe mode, so that nothing it carries is executed.

    Args:
        path: of the file.
        custom: the code of layers that are not Keras's own, which the user trusts.

    Returns:
        A model that knows its inputs; one that was subclassed is wrapped in one that does.

    Raises:
        SourceError: it is no `.keras` file, or needs code of its own.
    """
    import keras

    if not zipfile.is_zipfile(path):
        raise SourceError(f"{path.name} is no .keras file: save the model with model.save('NAME.keras')")
    objects = load_custom(custom) if custom else {}
    try:
        model = keras.models.load_model(path, custom_objects=objects, compile=False, safe_mode=True)
    except Exception as error:
        raise SourceError(_refusal(path, str(error), first_line(error), custom)) from error
    if not model.built:
        raise SourceError(f"{path.name} has no defined inputs: call the model once before saving it")
    return model if getattr(model, "inputs", None) else _with_inputs(path, model)


def _refusal(path: Path, text: str, line: str, custom: CustomCode | None) -> str:
    if "safe_mode" in text:
        return (
            f"{path.name} holds a Lambda layer, whose code would have to be run: "
            "replace it with a layer of Keras's own, or a class in a file given by --trust --custom FILE.py"
        )
    if found := re.search(r"Could not locate (?:class|function) '([^']+)'", text):
        where = f"{custom.path} does not define it" if custom else "its code is not in the file"
        return (
            f"{path.name} needs {found[1]}, and {where}: name the Python file that defines it, "
            "which will be run, by --trust --custom FILE.py"
        )
    return f"{path.name} cannot be loaded safely ({line}): save it from built-in layers"


def _with_inputs(path: Path, model: "keras.Model") -> "keras.Model":
    """A functional model around a subclassed one, its input shapes as it was built with."""
    import keras

    try:
        shapes = model.get_build_config()["input_shape"]
        named = shapes if isinstance(shapes, dict) else {"x": shapes}
        inputs = {
            name: keras.Input(tuple(shape[1:]), dtype=model.compute_dtype, name=name)
            for name, shape in named.items()
        }
        outputs = model(inputs if isinstance(shapes, dict) else inputs["x"], training=False)
    except Exception as error:
        raise SourceError(
            f"{path.name} does not say what its inputs are ({first_line(error)}): "
            "wrap it, keras.Model(x, model(x)) with x = keras.Input(...), and save that"
        ) from error
    return keras.Model(inputs if isinstance(shapes, dict) else inputs["x"], outputs, name=model.name)
