"""A user's own layers: a `.keras` file holds no code, so she names the Python file that has it."""

import hashlib
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.errors import SourceError, first_line


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomCode:
    """A Python file that the user trusts.

    Attributes:
        path: where it is.
        sha256: of the content that she trusted; no other is run.
    """

    path: Path
    sha256: str


def trust(path: Path) -> CustomCode:
    """Take a file's present content as trusted.

    Raises:
        SourceError: it cannot be read.
    """
    return CustomCode(path=path.resolve(), sha256=hashlib.sha256(_read(path)).hexdigest())


def load_custom(code: CustomCode) -> dict[str, Any]:
    """Run the file, and collect what Keras may need to rebuild a model.

    Returns:
        Name to class or function: everything public that the file defines itself.

    Raises:
        SourceError: it changed since it was trusted, or fails.
    """
    content = _read(code.path)
    if hashlib.sha256(content).hexdigest() != code.sha256:
        raise SourceError(f"{code.path} changed while it was used: begin again")
    module = types.ModuleType(f"keraport_custom_{code.path.stem}")
    module.__file__ = str(code.path)
    sys.modules[module.__name__] = module
    try:
        exec(compile(content, str(code.path), "exec"), module.__dict__)  # noqa: S102  (--trust asked for it)
    except Exception as error:
        raise SourceError(
            f"{code.path} fails ({type(error).__name__}: {first_line(error)}): mend it"
        ) from error
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    }


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}): give --custom FILE.py") from error
