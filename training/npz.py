"""Arrays from an `.npz` file, and the digest of a data set's arrays."""

import hashlib
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.errors import DatasetError
from training.printable import printable
from training.samples import MEMORY_LIMIT

# A packed member that is damaged, cut off, encrypted, or packed in another way; a header that lies.
UNREADABLE = (OSError, ValueError, EOFError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error)


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Read every array of an `.npz` file, never a pickled object.

    Raises:
        DatasetError: missing, unreadable, or larger than the memory limit.
    """
    try:
        with path.open("rb") as stream:  # numpy would leak the file of a broken archive
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DatasetError(f"{path} holds a single array: write named ones with numpy.savez")
            _refuse_huge(path, archive.zip)
            members = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise DatasetError(f"there is no file {path}: check the path") from None
    except UNREADABLE as error:
        raise DatasetError(
            f"{path} is no readable .npz of plain arrays ({_first_line(error)}): write it with numpy.savez"
        ) from error
    for name, member in members.items():
        if not isinstance(member, np.ndarray):  # numpy returns the bytes of what is no array
            raise DatasetError(
                f"{path} holds {printable(name)}, which is no array: write it with numpy.savez"
            )
    return members


def content_sha256(arrays: Mapping[str, NDArray[Any]]) -> str:
    """The SHA-256 over the arrays' names, dtypes, shapes and bytes, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _refuse_huge(path: Path, archive: zipfile.ZipFile | None) -> None:
    size = sum(member.file_size for member in archive.infolist()) if archive else 0
    if size > MEMORY_LIMIT:
        raise DatasetError(
            f"{path} unpacks to {size:,} bytes, more than {MEMORY_LIMIT:,}: use a smaller dtype or fewer"
        )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
