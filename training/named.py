"""The data sets that have a name: MNIST, which is embedded, and Fashion-MNIST, which Keras downloads."""

import contextlib
import sys
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from training.errors import DatasetError
from training.npz import content_sha256, read_npz

EMBEDDED_MNIST = Path(__file__).resolve().parent.parent / "data" / "mnist.npz"
# `content_sha256` of the arrays made from the four published IDX files (data/README.md).
MNIST_SHA256 = "8fc8fc4f0343f34ece1fcfdfb65f0801fac48030ce7c70e62bbb62f64ee2e65b"
FASHION_LABELS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
NAMES = ("mnist", "fashion_mnist")

Arrays = dict[str, NDArray[Any]]


def read_named(name: str) -> tuple[Arrays, tuple[str, ...]]:
    """Read one of `NAMES`.

    Returns:
        The arrays `x_train`, `y_train`, `x_test`, `y_test`, and the classes' names.

    Raises:
        DatasetError: there is no network, or the embedded file is damaged.
    """
    if name == "mnist":
        return _read_mnist(), tuple("0123456789")
    mend = "give a folder of its four IDX files or an .npz file instead"
    return _download("fashion_mnist", mend), FASHION_LABELS


def _read_mnist() -> Arrays:
    if EMBEDDED_MNIST.exists():
        arrays = read_npz(EMBEDDED_MNIST)
        mend = f"restore it (git checkout {EMBEDDED_MNIST.relative_to(EMBEDDED_MNIST.parent.parent)})"
    else:
        arrays = _download("mnist", "give the path of an mnist.npz instead (a checkout has it in data/)")
        mend = "remove it from Keras's cache (~/.keras/datasets/mnist.npz) and try again"
    if content_sha256(arrays) != MNIST_SHA256:
        raise DatasetError(f"the MNIST file does not hold the published images: {mend}")
    return arrays


def _download(name: str, mend: str) -> Arrays:
    try:
        from keras import datasets

        # Keras reports its progress on stdout, which belongs to the caller's document.
        with contextlib.redirect_stdout(sys.stderr):
            (x_train, y_train), (x_test, y_test) = getattr(datasets, name).load_data()
    except ModuleNotFoundError:
        raise
    except Exception as error:
        raise DatasetError(
            f"Keras cannot download {name}, perhaps there is no network here: {mend}"
        ) from error
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
