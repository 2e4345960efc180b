"""Publishing: a version appears by one atomic rename of a finished folder, and never changes after."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from export.errors import PublishError
from export.manifest import MODEL_NAME, Manifest, write_manifest
from export.report import write_report


def check_model_name(name: str) -> str:
    """Return a model's name if it can be a folder's name.

    Raises:
        PublishError: it cannot.
    """
    if not MODEL_NAME.fullmatch(name):
        raise PublishError(
            f"{name!r} cannot name a model: use up to 128 letters, digits, dots, dashes and underscores"
        )
    return name


@contextlib.contextmanager
def staging(repository: Path, model: str) -> Iterator[Path]:
    """A folder beside the versions in which to build the next one; whatever is left in it is removed.

    Raises:
        PublishError: the repository cannot be written.
    """
    try:
        (repository / model).mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".staging-", dir=repository / model))
    except OSError as error:
        raise PublishError(
            f"cannot write to {repository / model} ({error.strerror}): choose another --repository"
        ) from error
    try:
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            (repository / model).rmdir()  # only a model without any version is empty


def publish(manifest: Manifest, folder: Path) -> Manifest:
    """Give a staged folder the next free version number and its place in the repository.

    Args:
        manifest: complete but for the version's number.
        folder: the staging folder, with every artifact in it.

    Returns:
        The manifest as published.
    """
    home = folder.parent
    while True:
        taken = [int(path.name) for path in home.iterdir() if path.name.isdecimal()]
        numbered = replace(manifest, version=max(taken, default=0) + 1)
        write_report(numbered, folder)
        write_manifest(numbered, folder)
        target = home / str(numbered.version)
        try:
            folder.rename(target)
        except OSError:
            if not target.exists():  # not taken by another export in the meantime
                raise
        else:
            return numbered
