"""Publishing: a version appears by one atomic rename of a finished folder, and never changes after."""

import contextlib
import errno
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from export.errors import PublishError
from export.formats import Format
from export.manifest import Manifest, write_manifest
from export.naming import MODEL_NAME
from export.reporting.files import write_report
from export.reporting.report import export_report
from export.runner import Feed
from export.staging import staged_folder

STAGING = ".staging-"
NO_SAMPLES: Feed = {}


def check_model_name(name: str) -> str:
    """Return a model's name if it can be a folder's name.

    Raises:
        PublishError: it cannot.
    """
    if not MODEL_NAME.fullmatch(name):
        raise PublishError(
            f"{name!r} cannot name a model: give --model, up to 128 letters, digits, dots, dashes and "
            "underscores"
        )
    return name


@contextlib.contextmanager
def staging(repository: Path, model: str) -> Iterator[Path]:
    """A folder beside the versions in which to build the next one; whatever is left in it is removed.

    It is locked while it is used, so that what a killed export left behind can be told and removed.

    Raises:
        PublishError: the repository cannot be written, or its disk is full.
    """
    home = repository / model
    made = [path for path in (repository, home) if not path.exists()]
    with contextlib.ExitStack() as stack:
        stack.callback(_remove_empty, made)
        try:
            home.mkdir(parents=True, exist_ok=True)
            folder = stack.enter_context(staged_folder(home, STAGING))
        except OSError as error:
            raise PublishError(
                f"cannot write to {home} ({error.strerror}): choose another --repository"
            ) from error
        try:
            yield folder
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise PublishError(f"the disk of {home} is full: free some space") from error


def _remove_empty(folders: Sequence[Path]) -> None:
    with contextlib.suppress(OSError):  # what holds a version by now is not empty
        for folder in reversed(folders):
            folder.rmdir()


def publish(
    manifest: Manifest, folder: Path, *, required: tuple[Format, ...] = (), samples: Feed = NO_SAMPLES
) -> Manifest:
    """Give a staged folder the next free version number and its place in the repository.

    Args:
        manifest: complete but for the version's number.
        folder: the staging folder, with every artifact in it.
        required: formats without which nothing is published, for the report.
        samples: the test inputs by name, for the report to show.

    Returns:
        The manifest as published.
    """
    home = folder.parent
    while True:
        taken = [int(path.name) for path in home.iterdir() if path.name.isdecimal()]
        numbered = replace(manifest, version=max(taken, default=0) + 1)
        write_report(export_report(numbered, required), folder, samples)
        write_manifest(numbered, folder)
        target = home / str(numbered.version)
        try:
            folder.rename(target)
        except OSError:
            if not target.exists():  # not taken by another export in the meantime
                raise
        else:
            return numbered
