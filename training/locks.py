"""One process at a time in a run directory."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from training.errors import RecordError


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold a lock on a run directory; the system frees it with the process, however that ends.

    Raises:
        RecordError: another process holds it, or there is no such folder.
    """
    try:
        descriptor = os.open(out, os.O_RDONLY)
    except OSError as error:
        raise RecordError(f"{out} cannot be opened ({error.strerror}): name a run directory") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RecordError(f"{out} is being trained by another process: wait until it ends") from None
        yield
    finally:
        os.close(descriptor)
