"""The access log: a JSON line a request, for a file that several processes write and others rotate."""

import json
import logging
import os
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from serving.errors import ObservationError
from serving.operations.access import MAX_TEXT, OK, Access

STDERR = "-"

CHECK_SECONDS = 1.0
WARN_SECONDS = 60.0

log = logging.getLogger(__name__)


class AccessLog:
    """Appends lines to a file, or to stderr.

    A line is one write, so those of several processes do not mix. A file that was moved away or removed is
    made anew within a second.
    """

    def __init__(self, path: str, sample: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        """Open the file.

        Args:
            path: of the file; `-` for stderr.
            sample: the share of answered requests that are logged; failed ones always are.
            clock: tells monotonic seconds.

        Raises:
            ObservationError: it cannot be written.
        """
        self._path = path
        self._sample = sample
        self._clock = clock
        self._check_at = clock() + CHECK_SECONDS
        self._warn_at = clock()
        try:
            self._file = 2 if path == STDERR else _opened(path)
        except OSError as error:
            raise ObservationError(
                f"the access log {path} cannot be written ({error.strerror}): choose another --access-log"
            ) from error

    def wants(self, status: str) -> bool:
        """Whether a request that ended so is to be logged."""
        return status != OK or self._sample >= 1 or random.random() < self._sample  # noqa: S311  (no secret)

    def write(self, access: Access, trace_id: str = "") -> None:
        """Log a request. What cannot be written is lost, with a warning a minute: requests go on."""
        now = self._clock()
        try:
            if now >= self._check_at:
                self._check_at = now + CHECK_SECONDS
                self._follow()
            os.write(self._file, _line(access, trace_id))
        except OSError as error:
            if now >= self._warn_at:
                self._warn_at = now + WARN_SECONDS
                log.warning("the access log cannot be written: %s", error.strerror)

    def close(self) -> None:
        """Close the file."""
        if self._path != STDERR:
            file, self._file = self._file, -1  # a number that no other file will have
            os.close(file)

    def _follow(self) -> None:
        if self._path == STDERR:
            return
        mine = os.fstat(self._file)
        try:
            there = Path(self._path).stat()
        except FileNotFoundError:
            there = None
        if there is not None and (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino):
            return
        new = _opened(self._path)
        os.close(self._file)
        self._file = new


def _opened(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


def _line(access: Access, trace_id: str) -> bytes:
    began = datetime.fromtimestamp(access.began_s, UTC)
    fields = {
        "time": f"{began:%Y-%m-%dT%H:%M:%S}.{began.microsecond // 1000:03d}Z",
        "id": access.id[:MAX_TEXT],
        "protocol": access.protocol,
        "method": access.method,
        "model": access.model[:MAX_TEXT],
        "version": access.version[:MAX_TEXT],
        "rows": access.rows,
        "status": access.status,
        "duration_ms": _ms(access.duration_s),
        "queue_ms": _ms(access.queue_s),
        "batch_rows": None if access.run is None else access.run.rows,
        "peer": access.peer[:MAX_TEXT],
        "trace_id": trace_id,
    }
    # All beyond ASCII is escaped, too: nothing that a client chose reaches a terminal as it is.
    return f"{json.dumps(fields)}\n".encode()


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
