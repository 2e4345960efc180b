"""A user's own architecture: a Python function that she names on the command line."""

import hashlib
import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from training.errors import RecipeError

if TYPE_CHECKING:
    import keras

Shape = tuple[int | None, ...]
Build = Callable[[Shape | Mapping[str, Shape], int], "keras.Model"]


def is_custom(architecture: str) -> bool:
    """Whether an architecture is given as FILE.py:FUNCTION."""
    return ".py:" in architecture


def load_build(architecture: str) -> tuple[Build, str]:
    """Load the function `build(input_shape, classes)` from FILE.py:FUNCTION. This runs the file.

    Returns:
        The function, and the file's SHA-256.

    Raises:
        RecipeError: there is no such file or function, or the file fails.
    """
    name, _, function = architecture.rpartition(":")
    path = Path(name)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecipeError(f"{path} cannot be read ({error.strerror}): give FILE.py:FUNCTION") from error
    specification = importlib.util.spec_from_file_location(f"architecture_{path.stem}", path)
    if specification is None or specification.loader is None:
        raise RecipeError(f"{path} is no Python file: give FILE.py:FUNCTION")
    module = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        raise RecipeError(f"{path} fails ({type(error).__name__}: {error}): mend it") from error
    build = getattr(module, function, None)
    if not callable(build):
        raise RecipeError(f"{path} has no function {function!r}: give FILE.py:FUNCTION")
    return build, hashlib.sha256(content).hexdigest()
