"""A user's own architecture: a Python function that she names on the command line."""

import hashlib
import importlib.util
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from training.errors import RecipeError

if TYPE_CHECKING:
    import keras

Shape = tuple[int | None, ...]
Build = Callable[[Shape | Mapping[str, Shape], int], "keras.Model"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """What a user's file defines.

    Attributes:
        build: the function that she named.
        objects: name to class or function, everything public that the file itself defines.
        sha256: of the file.
    """

    build: Build
    objects: Mapping[str, Any]
    sha256: str


def is_custom(architecture: str) -> bool:
    """Whether an architecture is given as FILE.py:FUNCTION."""
    return ".py:" in architecture


def with_absolute_file(architecture: str) -> str:
    """The same architecture, its file named so that it is found from any folder."""
    if not is_custom(architecture):
        return architecture
    name, _, function = architecture.rpartition(":")
    return f"{Path(name).resolve()}:{function}"


def load_build(architecture: str) -> Architecture:
    """Load the function `build(input_shape, classes)` from FILE.py:FUNCTION. This runs the file.

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
    except (Exception, SystemExit) as error:
        raise RecipeError(f"{path} fails ({type(error).__name__}: {first_line(error)}): mend it") from error
    build = getattr(module, function, None)
    if not callable(build):
        raise RecipeError(f"{path} has no function {function!r}: give FILE.py:FUNCTION")
    return Architecture(build=build, objects=_defined(module), sha256=hashlib.sha256(content).hexdigest())


def _defined(module: ModuleType) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    }


def refuse_unloadable(model: "keras.Model", objects: Mapping[str, Any], architecture: str) -> None:
    """Save and load a model once, before the work of training it, whose checkpoint would be lost.

    Raises:
        RecipeError: it cannot be loaded in safe mode, or not without code that the file does not define.
    """
    import keras

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        try:
            model.save(path)
            keras.models.load_model(path, custom_objects=dict(objects), compile=False, safe_mode=True)
        except Exception as error:
            if _has_lambda(model):
                raise RecipeError(
                    f"{architecture} has a Lambda layer, whose checkpoint would hold code to run: "
                    "write a layer class in its place"
                ) from error
            raise RecipeError(
                f"{architecture} could not be loaded from its checkpoint ({first_line(error)}): define its "
                "layers in that file as public classes, with get_config if they take arguments"
            ) from error


def _has_lambda(layer: Any) -> bool:  # noqa: ANN401  (a model, or any layer that may hold others)
    import keras

    parts = [*getattr(layer, "layers", ()), *([layer.layer] if hasattr(layer, "layer") else [])]
    return isinstance(layer, keras.layers.Lambda) or any(_has_lambda(part) for part in parts)


def first_line(error: BaseException) -> str:
    """As much of another's error as fits into one line."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[
        :200
    ]
