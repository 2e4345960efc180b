"""Data sets by name, file or folder: the one way in for samples and labels.

Every source becomes arrays under the keys of an `.npz` file (`x_train`, `y_train`, `x_test`, `y_test`;
several inputs as `x_train/<input name>`, several outputs as `y_train/<output name>`), and these become a
`Dataset`.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.checks import refuse_corrupt
from training.errors import DatasetError
from training.idx import is_idx_folder, read_idx_folder
from training.image_folder import read_image_folder
from training.named import NAMES, read_named
from training.npz import content_sha256, read_npz
from training.samples import ONLY_TARGET, DataOptions, Dataset, Samples, Target, Task
from training.targets import convert_targets, infer_task, name_values

__all__ = ["DataOptions", "Dataset", "Samples", "Target", "Task", "load_dataset"]

DEFAULT_OPTIONS = DataOptions()
LABELS_KEY = "labels"
SPLITS = ("train", "test")

Arrays = Mapping[str, NDArray[Any]]
Names = Mapping[str, tuple[str, ...]]


def load_dataset(source: str, options: DataOptions = DEFAULT_OPTIONS) -> Dataset:
    """Load `mnist`, `fashion_mnist`, an `.npz` file, a folder of IDX files or a folder of images.

    Grey images of shape (samples, height, width) and dtype uint8 get a channel dimension of 1.

    Args:
        source: a name or a path.
        options: how to read it; the size, colour and share are for folders of images.

    Raises:
        DatasetError: missing, corrupt, or inconsistent data, or options that do not apply.
    """
    path = Path(source)
    names: Names = {}
    folder_of_images = source not in NAMES and path.is_dir() and not is_idx_folder(path)
    if not folder_of_images and options != replace(DEFAULT_OPTIONS, task=options.task):
        raise DatasetError(
            f"{source} is no folder of images: leave out the image size, colour and test share"
        )
    if source in NAMES:
        arrays, labels = read_named(source)
        names = {ONLY_TARGET: labels}
    elif folder_of_images:
        arrays, labels = read_image_folder(path, options)
        names = {ONLY_TARGET: labels}
    elif path.is_dir():
        arrays = read_idx_folder(path)
    elif path.suffix == ".npz":
        arrays = read_npz(path)
        names = _take_labels(path, arrays)
    else:
        raise DatasetError(
            f"no data set {source!r}: give {', '.join(NAMES)}, an .npz file, a folder of IDX files, "
            "or a folder of images with a sub-folder a class"
        )
    return _build(source if source in NAMES else str(path.resolve()), arrays, names, options.task)


def _take_labels(path: Path, arrays: dict[str, NDArray[Any]]) -> Names:
    """Take the class names out of the arrays, by target."""
    names = {}
    for target, key in _keys(str(path), arrays, LABELS_KEY, ONLY_TARGET).items():
        labels = arrays.pop(key)
        if labels.ndim != 1 or labels.dtype.kind != "U":
            raise DatasetError(f"{path}: {key} are {labels.dtype} {labels.shape}: give one text a class")
        names[target] = tuple(labels.tolist())
    return names


def _build(source: str, arrays: Arrays, names: Names, task: Task | None) -> Dataset:
    inputs = {split: _keys(source, arrays, f"x_{split}", "x") for split in SPLITS}
    targets = {split: _keys(source, arrays, f"y_{split}", ONLY_TARGET) for split in SPLITS}
    if not inputs["test"]:
        found = ", ".join(sorted(arrays)) or "nothing"
        raise DatasetError(f"{source} lacks x_test and y_test (it holds {found}): add them to the file")
    _refuse_gaps(source, inputs, targets, names)
    present = [split for split in SPLITS if inputs[split]]
    tasks = {
        name: task or infer_task(f"{source}: {key}", arrays[key]) for name, key in targets[present[0]].items()
    }
    splits = {split: _samples(source, arrays, inputs[split], targets[split], tasks) for split in present}
    labels = {
        name: name_values(
            f"{source}: {targets['test'][name]}",
            names.get(name),
            kind,
            [samples.targets[name] for samples in splits.values()],
        )
        for name, kind in tasks.items()
    }
    dataset = Dataset(
        source=source,
        sha256=content_sha256(arrays),
        targets={name: Target(task=kind, labels=labels[name]) for name, kind in tasks.items()},
        train=splits.get("train"),
        test=splits["test"],
    )
    refuse_corrupt(dataset)
    return dataset


def _samples(
    source: str,
    arrays: Arrays,
    inputs: Mapping[str, str],
    targets: Mapping[str, str],
    tasks: Mapping[str, Task],
) -> Samples:
    return Samples(
        inputs={name: _native(arrays[key]) for name, key in inputs.items()},
        targets={
            name: convert_targets(f"{source}: {targets[name]}", arrays[targets[name]], kind)
            for name, kind in tasks.items()
        },
    )


def _keys(source: str, arrays: Arrays, key: str, unnamed: str) -> dict[str, str]:
    """Name to array key, of `KEY` alone or of every `KEY/NAME`; empty if there is neither."""
    found = {name.removeprefix(f"{key}/"): name for name in arrays if name.startswith(f"{key}/")}
    if key not in arrays:
        return found
    if found:
        raise DatasetError(f"{source} holds {key} and {key}/…: name every one, or give only one")
    return {unnamed: key}


def _refuse_gaps(
    source: str,
    inputs: Mapping[str, Mapping[str, str]],
    targets: Mapping[str, Mapping[str, str]],
    names: Names,
) -> None:
    """Refuse a split without inputs, targets that only one split has, and labels that name nothing."""
    for split in SPLITS:
        if targets[split] and not inputs[split]:
            have = next(iter(targets[split].values()))
            raise DatasetError(f"{source} holds {have} but lacks x_{split}: add it to the file")
    for split, other in (SPLITS, SPLITS[::-1]) if inputs["train"] else ():
        for name, key in targets[split].items():
            if name not in targets[other]:
                lack = key.replace(split, other, 1)
                raise DatasetError(f"{source} holds {key} but lacks {lack}: add it to the file")
    if unknown := sorted(set(names) - set(targets["test"])):
        raise DatasetError(
            f"{source} holds labels of {unknown[0]} without such targets: name them as y_test/NAME is named, "
            f"{LABELS_KEY}/NAME, or leave them out"
        )


def _native(array: NDArray[Any]) -> NDArray[Any]:
    """Numbers in the machine's byte order, and grey images with a channel dimension."""
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    grey = array.ndim == 3 and array.dtype == np.uint8  # noqa: PLR2004  (samples, height, width)
    return array[..., np.newaxis] if grey else array
