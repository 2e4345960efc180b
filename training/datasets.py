"""Data sets by name or file: the one way in for samples and labels, checked before anything is computed."""

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import DatasetError

EMBEDDED_MNIST = Path(__file__).resolve().parent.parent / "data" / "mnist.npz"
# `_content_sha256` of the arrays made from the four published IDX files (data/README.md).
MNIST_SHA256 = "8fc8fc4f0343f34ece1fcfdfb65f0801fac48030ce7c70e62bbb62f64ee2e65b"


class Task(StrEnum):
    """What a model is to learn."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Inputs and their targets.

    Attributes:
        inputs: input name to (samples, ...) array; images are (samples, height, width, channels). An only
            input without a name of its own is called `x`.
        y: (samples,) int64 class indices; for regression (samples, values) float32.
    """

    inputs: Mapping[str, NDArray[Any]]
    y: NDArray[Any]

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.y)

    def take(self, indices: NDArray[np.int64]) -> "Samples":
        """The samples at these indices, in this order."""
        return Samples(
            inputs={name: array[indices] for name, array in self.inputs.items()}, y=self.y[indices]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A data set with a test split, and a training split unless it only serves to check a model.

    Attributes:
        source: what finds it again: a name such as `mnist`, or the absolute path of a file or folder.
        sha256: over the arrays' names, dtypes, shapes and bytes.
        task: what the targets are.
        labels: one text a class; none for regression.
    """

    source: str
    sha256: str
    task: Task
    labels: tuple[str, ...]
    train: Samples | None
    test: Samples


def load_dataset(source: str) -> Dataset:
    """Load `mnist`, or an `.npz` file with `x_test`, `y_test` and, to train on, `x_train`, `y_train`.

    Grey images of shape (samples, height, width) and dtype uint8 get a channel dimension of 1.

    Raises:
        DatasetError: missing, corrupt, or inconsistent data.
    """
    if source == "mnist":
        return _load_mnist()
    path = Path(source)
    if path.suffix != ".npz":
        raise DatasetError(f"no data set {source!r}: give `mnist` or an .npz file")
    return _build(str(path.resolve()), _read_npz(path))


def _load_mnist() -> Dataset:
    if EMBEDDED_MNIST.exists():
        arrays = _read_npz(EMBEDDED_MNIST)
        mend = f"restore it (git checkout {EMBEDDED_MNIST.relative_to(EMBEDDED_MNIST.parent.parent)})"
    else:
        arrays = _download_mnist()
        mend = "remove it from Keras's cache (~/.keras/datasets/mnist.npz) and try again"
    dataset = _build("mnist", arrays)
    if dataset.sha256 != MNIST_SHA256:
        raise DatasetError(f"the MNIST file does not hold the published images: {mend}")
    return dataset


def _download_mnist() -> dict[str, NDArray[Any]]:
    import keras

    try:
        (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
    except Exception as error:
        raise DatasetError(
            "MNIST is embedded in a checkout only, and Keras cannot download it here "
            f"({type(error).__name__}): give the path of an mnist.npz instead"
        ) from error
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as stream:  # numpy would leak the file of a broken archive
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DatasetError(f"{path} holds a single array: write named ones with numpy.savez")
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise DatasetError(f"there is no file {path}: check the path") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetError(
            f"{path} is no readable .npz of plain arrays ({str(error).splitlines()[0]}): "
            "write it with numpy.savez"
        ) from error


def _build(source: str, arrays: dict[str, NDArray[Any]]) -> Dataset:
    missing = [name for name in ("x_test", "y_test") if name not in arrays]
    if missing:
        found = ", ".join(sorted(arrays)) or "nothing"
        raise DatasetError(f"{source} lacks {' and '.join(missing)} (it holds {found}): add them to the file")
    test = _samples(source, arrays, "test")
    train = _samples(source, arrays, "train") if "x_train" in arrays and "y_train" in arrays else None
    classes = int(max(split.y.max() for split in (train, test) if split is not None)) + 1
    if train is not None:
        for name, array in train.inputs.items():
            if array.shape[1:] != test.inputs[name].shape[1:]:
                raise DatasetError(
                    f"{source}: training samples of {name} have shape {array.shape[1:]}, test samples "
                    f"{test.inputs[name].shape[1:]}: give both the same shape"
                )
    return Dataset(
        source=source,
        sha256=_content_sha256(arrays),
        task=Task.CLASSIFICATION,
        labels=tuple(str(index) for index in range(classes)),
        train=train,
        test=test,
    )


def _samples(source: str, arrays: dict[str, NDArray[Any]], split: str) -> Samples:
    x, y = arrays[f"x_{split}"], arrays[f"y_{split}"]
    if y.ndim != 1 or y.dtype.kind not in "iu" or len(y) != len(x):
        raise DatasetError(
            f"{source}: y_{split} is {y.dtype} {y.shape} beside x_{split} {x.shape}: "
            "give one whole-number class index a sample"
        )
    if len(x) == 0 or y.min() < 0:
        raise DatasetError(f"{source}: the {split} split is empty or has negative labels: mend the file")
    if x.dtype.kind not in "biuf" or (x.dtype.kind == "f" and not np.isfinite(x).all()):
        raise DatasetError(f"{source}: x_{split} ({x.dtype}) holds NaN, Inf or no numbers: mend the file")
    if x.ndim == 3 and x.dtype == np.uint8:  # noqa: PLR2004  (samples, height, width: grey images)
        x = x[..., np.newaxis]
    return Samples(inputs={"x": x}, y=y.astype(np.int64))


def _content_sha256(arrays: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
