"""A folder of images with a sub-folder a class, or with `train/` and `test/` that hold such sub-folders."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import DatasetError
from training.pictures import SUFFIXES, read_pictures
from training.samples import DataOptions

SPLITS = ("train", "test")

ClassFiles = dict[str, list[Path]]


def read_image_folder(root: Path, options: DataOptions) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
    """Read the images and number the classes by the sorted names of their sub-folders.

    Without `train/` and `test/` a share of each class becomes the test split. Which files are in it depends
    on their names alone: the same on every machine, and nearly the same after files were added.

    Returns:
        `x_train`, `x_test` (samples, height, width, 1 or 3) uint8, `y_train`, `y_test` (samples,) int64; and
        the classes' names.

    Raises:
        DatasetError: no classes, a class without images, a link that leaves the folder, an image that is
            corrupt or has another size than the rest, or too many of them.
    """
    splits = _find_splits(root, options.test_share)
    labels = tuple(sorted({label for classes in splits.values() for label in classes}))
    listed = {split: _listed(classes, labels) for split, classes in splits.items()}
    pictures = read_pictures(
        [path for files in listed.values() for path, _ in files], size=options.image_size, grey=options.grey
    )
    arrays: dict[str, NDArray[Any]] = {}
    start = 0
    for split, files in listed.items():
        arrays[f"x_{split}"] = pictures[start : start + len(files)]
        arrays[f"y_{split}"] = np.array([index for _, index in files], np.int64)
        start += len(files)
    return arrays, labels


def _find_splits(root: Path, test_share: float) -> dict[str, ClassFiles]:
    folders = {folder.name: folder for folder in _visible_folders(root, root)}
    if not set(SPLITS) <= set(folders):
        _refuse_lone_split(root, folders)
        classes = {name: _images(folder, root) for name, folder in folders.items()}
        if not classes:
            raise DatasetError(f"{root} has no sub-folders: give every class one with its images")
        return _split(classes, test_share)
    if others := sorted(set(folders) - set(SPLITS)):
        raise DatasetError(
            f"{root} has {others[0]}/ beside train/ and test/: move it away or into one of them"
        )
    splits = {
        split: {folder.name: _images(folder, root) for folder in _visible_folders(folders[split], root)}
        for split in SPLITS
    }
    for split, classes in splits.items():
        if not classes:
            raise DatasetError(f"{root / split} has no sub-folders: give every class one with its images")
    return splits


def _refuse_lone_split(root: Path, folders: Mapping[str, Path]) -> None:
    """Refuse `train/` or `test/` without the other. A class may have such a name, but no sub-folders."""
    for split, other in (SPLITS, SPLITS[::-1]):
        if split in folders and _visible_folders(folders[split], root):
            raise DatasetError(
                f"{root} has {split}/ with classes in it but no {other}/: add it, or give {root / split}"
            )


def _split(classes: ClassFiles, test_share: float) -> dict[str, ClassFiles]:
    """Both splits get at least one of each class, as far as there are two."""
    train, test = {}, {}
    for label, files in classes.items():
        shuffled = sorted(files, key=_lot)
        count = min(max(1, round(len(files) * test_share)), len(files) - 1)
        test[label], train[label] = sorted(shuffled[:count]), sorted(shuffled[count:])
    return {"train": train, "test": test}


def _lot(path: Path) -> bytes:
    """A place in the order of drawing that looks random and depends on the class and the name alone."""
    return hashlib.sha256(os.fsencode(f"{path.parent.name}/{path.name}")).digest()


def _visible_folders(parent: Path, root: Path) -> list[Path]:
    return [path for path in _visible(parent, root) if path.is_dir()]


def _images(folder: Path, root: Path) -> list[Path]:
    files = [path for path in _visible(folder, root) if path.suffix.lower() in SUFFIXES and path.is_file()]
    if not files:
        raise DatasetError(
            f"{folder} holds no images ({', '.join(SUFFIXES)}): a class is a sub-folder with its images in it"
        )
    return files


def _visible(folder: Path, root: Path) -> list[Path]:
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    for path in paths:
        # Unlike Path.resolve, realpath takes links that lead back to themselves.
        if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root.resolve()):
            raise DatasetError(f"{path} is a link that leaves the folder: put the files themselves there")
    return paths


def _listed(classes: Mapping[str, list[Path]], labels: tuple[str, ...]) -> list[tuple[Path, int]]:
    return [(path, index) for index, label in enumerate(labels) for path in classes.get(label, [])]
