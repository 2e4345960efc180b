"""Files that a server reads again when they change."""

import logging
import stat
from pathlib import Path

from serving.errors import SecurityError

log = logging.getLogger(__name__)

Stamp = tuple[tuple[int, ...] | None, ...]


def stamp(*paths: Path) -> Stamp:
    """What differs once one of the files was written, replaced or removed."""
    return tuple(_stamp_of(path) for path in paths)


def read_small(path: Path, limit: int) -> bytes:
    """The content of a plain file.

    Raises:
        SecurityError: it is missing, unreadable, of another kind, or larger than `limit` bytes.
    """
    try:
        status = path.stat()
        # Anything else, such as a pipe, could be read without end.
        if not stat.S_ISREG(status.st_mode):
            raise SecurityError(f"{path} is no plain file: name one")
        with path.open("rb") as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        raise SecurityError(f"{path} cannot be read ({error.strerror}): name a file that can") from error
    if len(content) > limit:
        raise SecurityError(f"{path} has over {limit:,} bytes: is it the right file?")
    return content


def warn_if_open(path: Path, to: int) -> None:
    """Log a warning if a secret file has one of these permission bits."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return
    if mode & to:
        log.warning("%s holds a secret but others can read it (mode %03o): chmod 600 it", path, mode)


def _stamp_of(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
