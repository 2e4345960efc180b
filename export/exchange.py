"""Arrays that go from one step's process to the next: a folder of .npy files and an index of their names."""

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

INDEX = "index.json"


def write_arrays(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> Path:
    """Write named arrays into a new folder.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True)
    try:
        for number, array in enumerate(arrays.values()):
            np.save(folder / f"{number}.npy", array, allow_pickle=False)
    except OSError as error:
        if error.errno is not None:
            raise
        # numpy's own, when less was written than asked for
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder)) from error
    (folder / INDEX).write_bytes(msgspec.json.encode(list(arrays)))
    return folder


def read_arrays(folder: Path, prefix: str = "") -> dict[str, NDArray[Any]]:
    """The arrays whose names begin with `prefix/`, by the rest of their names; on disk till they are used."""
    names = msgspec.json.decode((folder / INDEX).read_bytes(), type=list[str])
    start = f"{prefix}/" if prefix else ""
    return {
        name.removeprefix(start): np.load(folder / f"{number}.npy", mmap_mode="r", allow_pickle=False)
        for number, name in enumerate(names)
        if name.startswith(start)
    }
