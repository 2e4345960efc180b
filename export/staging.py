"""Folders that are built out of sight to appear by one rename; what killed processes left is removed."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def staged_folder(home: Path, prefix: str) -> Iterator[Path]:
    """A new folder, locked while it is used; whatever is left of it in the end is removed.

    Args:
        home: where to make it, on the file system of the place that it is meant for.
        prefix: of its name, by which what others left behind is told.

    Raises:
        OSError: it cannot be made.
    """
    with contextlib.ExitStack() as stack:
        with _locked(home):  # else one process could take another's new folder for a stale one
            _remove_stale(home, prefix)
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=home))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            stack.enter_context(_locked(folder))
        folder.chmod(0o755)
        yield folder


@contextlib.contextmanager
def _locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock on a folder; the system frees it with the process, however that ends.

    Raises:
        BlockingIOError: another process holds it, and one should not wait.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)


def _remove_stale(home: Path, prefix: str) -> None:
    for folder in home.glob(f"{prefix}*"):
        with contextlib.suppress(BlockingIOError, FileNotFoundError), _locked(folder, wait=False):
            shutil.rmtree(folder, ignore_errors=True)
