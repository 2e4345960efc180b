"""Steps in processes of their own: a crash, a hang or a flood of memory in native code ends there."""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, get_type_hints

import msgspec

from export import errors
from export.errors import ExportError, TimeLimitError, WorkerError
from export.worker import Answer, Request, decode_hook, encode_hook

A = TypeVar("A")
R = TypeVar("R")

DEFAULT_TIME_LIMIT_S = 1800.0
LOG_LINES, LOG_CHARACTERS = 20, 4000


class Workers:
    """Calls functions of this package in processes of their own; all of them end with it.

    Args:
        scratch: a folder for logs and answers.
        time_limit_s: seconds that one call may take.
    """

    def __init__(self, scratch: Path, *, time_limit_s: float = DEFAULT_TIME_LIMIT_S) -> None:
        self._scratch = scratch.resolve()
        self._temporary = self._scratch / "temporary"  # what native code leaves lying about goes with it
        self._temporary.mkdir(exist_ok=True)
        self._time_limit_s = time_limit_s
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every process that still runs."""
        self.stop()

    def stop(self) -> None:
        """End every process that still runs; later calls fail."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                _end(process)

    def call(self, function: Callable[[A], R], argument: A) -> R:
        """Call a module-level function of this package in a process of its own. Any thread may do so.

        Args:
            function: takes and returns what msgspec can encode, paths too.
            argument: for it.

        Raises:
            ExportError: as the function raised it.
            OSError, ModuleNotFoundError: likewise.
            WorkerError: the process crashed, ran over its time, or met an unexpected error.
        """
        number = next(self._numbers)
        log, out = self._scratch / f"worker-{number}.log", self._scratch / f"worker-{number}.json"
        request = Request(
            module=function.__module__, function=function.__name__, argument=argument, answer=str(out)
        )
        with log.open("wb") as stream:
            process = self._start(msgspec.json.encode(request, enc_hook=encode_hook), stream.fileno())
            try:
                code = process.wait(self._time_limit_s)
            except subprocess.TimeoutExpired:
                raise TimeLimitError(
                    f"it gave no result within {self._time_limit_s:g} s: raise --time-limit", _tail(log)
                ) from None
            finally:
                _end(process)
                with self._lock:
                    self._running.discard(process)
        if not out.exists():
            raise WorkerError(_cause(code), _tail(log))
        answer = msgspec.json.decode(out.read_bytes(), type=Answer)
        if answer.error is not None:
            raise _error(answer, log)
        result: R = msgspec.convert(answer.result, get_type_hints(function)["return"], dec_hook=decode_hook)
        return result

    def _start(self, request: bytes, log: int) -> subprocess.Popen[bytes]:
        environment = {
            "TF_CPP_MIN_LOG_LEVEL": "1",
            **os.environ,
            "KERAS_BACKEND": "tensorflow",
            "TMPDIR": str(self._temporary),
            "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
        }
        with self._lock:
            if self._stopped:
                raise WorkerError("the export is being stopped")
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", "from export.worker import main; main()"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,  # Ctrl-C reaches this process alone, which then ends the others
            )
            self._running.add(process)
        assert process.stdin is not None  # noqa: S101  (a pipe was asked for)
        with contextlib.suppress(BrokenPipeError):  # it has died: its exit code tells
            process.stdin.write(request + b"\n")
            process.stdin.flush()
        return process


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all that it started, if it still runs."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()


def _cause(code: int) -> str:
    if code == -signal.SIGKILL:
        return "its process was killed by the system, most likely for want of memory: free some"
    if code < 0:
        return f"its process crashed ({signal.Signals(-code).name})"
    return f"its process ended with exit code {code} and no result"


def _error(answer: Answer, log: Path) -> Exception:
    assert answer.error is not None  # noqa: S101  (the caller has checked)
    if answer.error.errno is not None:
        return OSError(answer.error.errno, answer.error.message, answer.error.filename)
    if answer.error.kind == "ModuleNotFoundError":
        return ModuleNotFoundError(answer.error.message, name=answer.error.filename)
    kind = getattr(errors, answer.error.kind, None)
    if isinstance(kind, type) and issubclass(kind, ExportError) and kind is not WorkerError:
        return kind(answer.error.message)
    return WorkerError(answer.error.message, _tail(log))


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
    return "\n".join(lines)[-LOG_CHARACTERS:]
