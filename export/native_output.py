"""Keeps what native libraries print to the terminal out of the way, and at hand when something fails."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import IO, TextIO

from export.errors import ExportError
from training.errors import TrainingError


@contextlib.contextmanager
def captured_native_output() -> Iterator[TextIO]:
    """Send file descriptors 1 and 2 into a temporary file; show its tail if an unexpected error leaves.

    Yields:
        A stream to the real standard error, for those who still have something to say.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(1), os.dup(2)]
    with tempfile.TemporaryFile() as log, os.fdopen(os.dup(2), "w", buffering=1) as terminal:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            yield terminal
        except (ExportError, TrainingError):
            raise
        except Exception:
            terminal.write(_tail(log))
            raise
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for descriptor, real in zip((1, 2), saved, strict=True):
                os.dup2(real, descriptor)
                os.close(real)


def _tail(log: IO[bytes], lines: int = 20) -> str:
    log.seek(0)
    return "".join(log.read().decode(errors="replace").splitlines(keepends=True)[-lines:])
