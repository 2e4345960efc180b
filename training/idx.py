"""Images and labels from the IDX files in which MNIST and its kin are published.

A file is a big-endian magic number, one 32-bit size a dimension, and the bytes
(http://yann.lecun.com/exdb/mnist/).
"""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from training.errors import DatasetError
from training.samples import MEMORY_LIMIT

FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
UNSIGNED_BYTES = 0x08
IMAGE_DIMENSIONS, LABEL_DIMENSIONS = 3, 1


def is_idx_folder(folder: Path) -> bool:
    """Whether a folder holds any of the four files, compressed or not."""
    return any(_find(folder, name) for name in FILES.values())


def read_idx_folder(folder: Path) -> dict[str, NDArray[Any]]:
    """Read the four files, each as it is or with `.gz`; the two of the training split may be missing.

    Returns:
        `x_train`, `x_test` (samples, height, width) and `y_train`, `y_test` (samples,), all uint8.

    Raises:
        DatasetError: a file is missing, cut off, too long, or no IDX file of unsigned bytes.
    """
    found = {key: _find(folder, name) for key, name in FILES.items()}
    if found["x_train"] is None and found["y_train"] is None:
        found = {key: path for key, path in found.items() if not key.endswith("train")}
    arrays = {}
    for key, path in found.items():
        if path is None:
            raise DatasetError(f"{folder} lacks {FILES[key]} (or {FILES[key]}.gz): add it")
        arrays[key] = _read(path, IMAGE_DIMENSIONS if key.startswith("x") else LABEL_DIMENSIONS)
    return arrays


def _find(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _read(path: Path, dimensions: int) -> NDArray[np.uint8]:
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rb") as unpacked:
                return _parse(path, unpacked, dimensions)
        with path.open("rb") as stream:
            return _parse(path, stream, dimensions)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path} cannot be read ({error}): fetch the file again") from error


def _parse(path: Path, stream: BinaryIO | gzip.GzipFile, dimensions: int) -> NDArray[np.uint8]:
    header = stream.read(4 + 4 * dimensions)
    if header[:4] != bytes([0, 0, UNSIGNED_BYTES, dimensions]) or len(header) != 4 + 4 * dimensions:
        raise DatasetError(
            f"{path} is no IDX file of unsigned bytes in {dimensions} dimension(s): fetch the file again"
        )
    shape = struct.unpack(f">{dimensions}I", header[4:])
    size = math.prod(shape)
    if size > MEMORY_LIMIT:
        raise DatasetError(
            f"{path} says that it holds {size:,} bytes, more than {MEMORY_LIMIT:,}: cut it down"
        )
    content = stream.read(size + 1)
    if len(content) != size:
        kind = "is cut off" if len(content) < size else "goes on after its last sample"
        raise DatasetError(f"{path} {kind} (it should hold {size:,} bytes): fetch the file again")
    return np.frombuffer(content, np.uint8).reshape(shape)
