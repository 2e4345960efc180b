"""Samples from .npy and .npz files."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from clients.errors import InputError
from clients.names import printable
from clients.results import TensorSpec
from export.manifest import DATATYPES

# A class and its probability a line: beyond this many nobody reads them, and answers should not pile up.
MAX_SAMPLES = 10_000
FLOATS = ("FP16", "BF16", "FP32", "FP64")  # to any of which any floats are rounded
# What an array may take unpacked, so that a small .npz cannot fill the memory.
MAX_BYTES = 1 << 30


def load_samples(path: Path, spec: TensorSpec) -> NDArray[Any]:
    """Read samples for one input.

    Args:
        path: a .npy file, or an .npz with the array under the input's name, alone, or as `x_test`.
        spec: the model's input; the file may hold one sample without the first dimension, and may leave out
            a last dimension of one channel.

    Returns:
        An array in the input's dtype and shape, the first dimension counts samples.

    Raises:
        InputError: the file holds no such array, or too large a one.
    """
    try:
        array = _read(path, spec.name)
    except FileNotFoundError as error:
        raise InputError(f"{printable(path)} does not exist: give the path of a picture or array") from error
    except InputError:
        raise
    # What numpy raises for a damaged file is no closed list: zlib, tokenize, zipfile bring their own.
    except Exception as error:
        raise InputError(
            f"{printable(path)} is no array file that numpy reads without pickle: save it anew"
        ) from error
    samples = _cast(_shaped(array, path, spec), path, spec)
    if not 1 <= len(samples) <= MAX_SAMPLES:
        raise InputError(f"{printable(path)} holds {len(samples):,} samples: give 1 to {MAX_SAMPLES:,}")
    return samples


def _read(path: Path, name: str) -> NDArray[Any]:
    if path.suffix.lower() == ".npy":
        return np.lib.format.open_memmap(path, mode="r")  # only the samples that are sent need memory
    with path.open("rb") as stream:
        archive = np.load(stream, allow_pickle=False)
        if not isinstance(archive, NpzFile) or archive.zip is None:
            raise ValueError("no archive")
        key = _choose(archive, path, name)
        size = next(info.file_size for info in archive.zip.infolist() if info.filename in (key, f"{key}.npy"))
        if size > MAX_BYTES:
            raise InputError(
                f"{printable(path)}: {key} takes {size:,} bytes, over {MAX_BYTES:,}: send it in parts"
            )
        return np.asarray(archive[key])


def _choose(archive: NpzFile, path: Path, name: str) -> str:
    if name in archive.files:
        return name
    if len(archive.files) == 1:
        return archive.files[0]
    if "x_test" in archive.files:
        return "x_test"
    known = ", ".join(archive.files) or "nothing"
    raise InputError(f"{printable(path)} holds {known}: name the array for the model {name!r}")


def _shaped(array: NDArray[Any], path: Path, spec: TensorSpec) -> NDArray[Any]:
    for candidate in (array, array[None]):
        for shaped in (candidate, candidate[..., None]):
            if len(shaped.shape) == len(spec.shape) and all(
                want in (-1, size) for size, want in zip(shaped.shape, spec.shape, strict=True)
            ):
                return shaped
    raise InputError(
        f"{printable(path)} holds an array of shape {list(array.shape)}, the model takes {list(spec.shape)}"
    )


def _cast(array: NDArray[Any], path: Path, spec: TensorSpec) -> NDArray[Any]:
    if spec.datatype not in DATATYPES:
        raise InputError(f"the model's input {spec.name} is {spec.datatype}: use another client")
    wanted = DATATYPES[spec.datatype]
    if spec.datatype == "BF16" and array.dtype == "V2":  # numpy's files do not say that they hold BF16
        return array.view(wanted)
    if spec.datatype == "BYTES":
        fits = array.dtype.kind in "SU"
    else:
        both_float = array.dtype.kind == "f" and spec.datatype in FLOATS
        fits = both_float or np.can_cast(array.dtype, wanted, "safe")
    if not fits:
        raise InputError(
            f"{printable(path)} holds {array.dtype}, the model takes {spec.datatype}: convert it first"
        )
    return array.astype(wanted, copy=False)
