"""Data sets by name, file or folder: the one way in for samples and labels.

Every source becomes arrays under the keys of an `.npz` file (`x_train`, `y_train`, `x_test`, `y_test`;
several inputs as `x_train/<input name>`), and these become a `Dataset`.
"""

from collections.abc import Mapping
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
from training.samples import DataOptions, Dataset, Samples, Task
from training.targets import class_labels, convert_targets, infer_task

__all__ = ["DataOptions", "Dataset", "Samples", "Task", "load_dataset"]

DEFAULT_OPTIONS = DataOptions()
LABELS_KEY = "labels"


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
    labels: tuple[str, ...] | None = None
    folder_of_images = source not in NAMES and path.is_dir() and not is_idx_folder(path)
    if not folder_of_images and (options.image_size is not None or options.grey is not None):
        raise DatasetError(f"{source} is no folder of images: leave out the image size and colour")
    if source in NAMES:
        arrays, labels = read_named(source)
    elif folder_of_images:
        arrays, labels = read_image_folder(path, options)
    elif path.is_dir():
        arrays = read_idx_folder(path)
    elif path.suffix == ".npz":
        arrays = read_npz(path)
        labels = _own_labels(path, arrays.pop(LABELS_KEY, None))
    else:
        raise DatasetError(
            f"no data set {source!r}: give {', '.join(NAMES)}, an .npz file, a folder of IDX files, "
            "or a folder of images with a sub-folder a class"
        )
    name = source if source in NAMES else str(path.resolve())
    return _build(name, arrays, labels, options.task)


def _own_labels(path: Path, labels: NDArray[Any] | None) -> tuple[str, ...] | None:
    if labels is not None and (labels.ndim != 1 or labels.dtype.kind != "U"):
        raise DatasetError(f"{path}: labels are {labels.dtype} {labels.shape}: give one text a class")
    return None if labels is None else tuple(labels.tolist())


def _build(
    source: str, arrays: Mapping[str, NDArray[Any]], labels: tuple[str, ...] | None, task: Task | None
) -> Dataset:
    test, train = _inputs(source, arrays, "test"), _inputs(source, arrays, "train")
    if not test:
        found = ", ".join(sorted(arrays)) or "nothing"
        raise DatasetError(f"{source} lacks x_test and y_test (it holds {found}): add them to the file")
    task = task or infer_task(source, arrays, "train" if train else "test")
    splits = {
        split: Samples(inputs=inputs, y=convert_targets(source, arrays, split, task))
        for split, inputs in (("train", train), ("test", test))
        if inputs
    }
    dataset = Dataset(
        source=source,
        sha256=content_sha256(arrays),
        task=task,
        labels=class_labels(source, labels, list(splits.values())) if task is Task.CLASSIFICATION else (),
        train=splits.get("train"),
        test=splits["test"],
    )
    refuse_corrupt(dataset)
    return dataset


def _inputs(source: str, arrays: Mapping[str, NDArray[Any]], split: str) -> dict[str, NDArray[Any]]:
    """The inputs of one split by name; none if the source does not hold the split."""
    key = f"x_{split}"
    found = {name.removeprefix(f"{key}/"): name for name in arrays if name.startswith(f"{key}/")}
    if key in arrays:
        if found:
            raise DatasetError(f"{source} holds {key} and {key}/…: name every input, or give only one")
        found = {"x": key}
    if any(name.startswith(f"y_{split}/") for name in arrays):
        raise DatasetError(
            f"{source} holds y_{split}/…: several outputs cannot be learnt yet, give y_{split}"
        )
    if bool(found) != (f"y_{split}" in arrays):
        have, lack = (f"x_{split}", f"y_{split}") if found else (f"y_{split}", f"x_{split}")
        raise DatasetError(f"{source} holds {have} but lacks {lack}: add it to the file")
    return {name: _native(arrays[key]) for name, key in found.items()}


def _native(array: NDArray[Any]) -> NDArray[Any]:
    """Numbers in the machine's byte order, and grey images with a channel dimension."""
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    grey = array.ndim == 3 and array.dtype == np.uint8  # noqa: PLR2004  (samples, height, width)
    return array[..., np.newaxis] if grey else array
