"""The files of a published version: whether their bytes are those that the manifest records."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from export.errors import ManifestError
from export.formats import Format
from export.manifest import Artifact, content_sha256


def verify_artifact(folder: Path, artifact: Artifact) -> Path:
    """Check that an artifact's bytes are the published ones.

    Returns:
        Its path.

    Raises:
        ManifestError: it is missing, or its SHA-256 differs.
    """
    path = _shipped(folder, artifact)
    if content_sha256(path) != artifact.sha256:
        raise _changed(path)
    return path


@contextlib.contextmanager
def held_artifact(folder: Path, artifact: Artifact) -> Iterator[Path]:
    """Check that a file's bytes are the published ones, and that they stay so while it is opened anew.

    Yields:
        A path that leads to the very file that was checked, even if another takes its name.

    Raises:
        ManifestError: it is missing, its SHA-256 differs, or it changed meanwhile.
    """
    path = _shipped(folder, artifact)
    with path.open("rb") as stream:
        before = _state(os.fstat(stream.fileno()))
        if hashlib.file_digest(stream, "sha256").hexdigest() != artifact.sha256:
            raise _changed(path)
        held = Path(f"/proc/self/fd/{stream.fileno()}")
        yield held if held.exists() else path
        if _state(path.stat()) != before:
            raise ManifestError(f"{path} changed while it was being loaded: try again")


def _shipped(folder: Path, artifact: Artifact) -> Path:
    if artifact.path is None:
        raise ManifestError(f"{folder} does not ship {artifact.format}: {artifact.reason}")
    path = folder / artifact.path
    # Anything else, such as a pipe, could be read without end.
    if not (path.is_dir() if artifact.format is Format.SAVED_MODEL else path.is_file()):
        raise ManifestError(f"{path} is missing, or of another kind: export the model again")
    return path


def _changed(path: Path) -> ManifestError:
    return ManifestError(f"{path} was changed after it was published (another SHA-256): export it again")


def _state(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
