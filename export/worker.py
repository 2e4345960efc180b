"""The other side of `export.isolation`: one process that answers one call and ends."""

import contextlib
import importlib
import os
import sys
import threading
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from export.errors import ExportError, first_line

PACKAGE = "export."


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to call.

    Attributes:
        module, function: of this package.
        argument: for it.
        answer: path of the file to write.
    """

    module: str
    function: str
    argument: Any
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What the function raised.

    Attributes:
        kind: the error's class.
        message: its text.
        errno, filename: of an OSError; of a missing module its name.
    """

    kind: str
    message: str
    errno: int | None = None
    filename: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the function returned or raised."""

    result: Any = None
    error: Failure | None = None


def encode_hook(value: object) -> object:
    """Paths travel as texts."""
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} cannot be sent to a worker")


def decode_hook(kind: type, value: object) -> object:
    """The reverse of `encode_hook`."""
    if kind is Path:
        return Path(str(value))
    raise NotImplementedError(f"{kind.__name__} cannot be received from a worker")


def main() -> None:
    """Read a request from standard input, answer it, end."""
    with contextlib.suppress(OSError):  # Linux only: if memory runs out, this process goes first
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    request = msgspec.json.decode(sys.stdin.buffer.readline(), type=Request)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    content = msgspec.json.encode(_answer(request), enc_hook=encode_hook)
    out = Path(request.answer)
    part = out.with_suffix(".part")
    part.write_bytes(content)
    part.replace(out)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # TensorFlow's threads need no winding down


def _end_with_parent() -> None:
    """The other end of standard input closes when the parent ends, however it does."""
    os.read(0, 1)
    os._exit(1)


def _answer(request: Request) -> Answer:
    if not request.module.startswith(PACKAGE):
        raise ValueError(f"{request.module} is not of this package")
    function = getattr(importlib.import_module(request.module), request.function)
    hints = get_type_hints(function)
    kind = next(hint for name, hint in hints.items() if name != "return")
    argument = msgspec.convert(request.argument, kind, dec_hook=decode_hook)
    try:
        return Answer(result=function(argument))
    except Exception as error:  # noqa: BLE001  (whatever it is, this step alone fails by it)
        return Answer(error=_failure(error))


def _failure(error: Exception) -> Failure:
    if _ran_out_of_memory(error):
        return Failure(kind="WorkerError", message="its process ran out of memory: free some")
    match error:
        case ExportError():
            return Failure(kind=type(error).__name__, message=str(error))
        case OSError():
            return Failure(
                kind="OSError",
                message=error.strerror or first_line(error),
                errno=error.errno,
                filename=None if error.filename is None else str(error.filename),
            )
        case ModuleNotFoundError():
            return Failure(kind="ModuleNotFoundError", message=str(error), filename=error.name)
        case _:
            traceback.print_exception(error)
            return Failure(
                kind="WorkerError", message=f"unexpected {type(error).__name__}: {first_line(error)}"
            )


def _ran_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that it was raised from, is for want of memory."""
    return error is not None and (isinstance(error, MemoryError) or _ran_out_of_memory(error.__cause__))
