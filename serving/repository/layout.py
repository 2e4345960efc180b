"""What lies in a repository: models, their versions, and whether anything of them has changed."""

import os
from dataclasses import dataclass
from pathlib import Path

from export.naming import MODEL_NAME, VERSION
from serving.errors import ModelRefused, RepositoryError

# The files of a version that bear on how it is served.
SERVED_FILES = ("manifest.json", "model.onnx")

Stamp = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFolder:
    """One model's folder.

    Attributes:
        path: of the folder.
        versions: the numbers of those published in it, the newest first.
        complaint: why it holds nothing; empty if it does.
        readable: whether its versions could be listed.
    """

    path: Path
    versions: tuple[int, ...]
    complaint: str = ""
    readable: bool = True

    @property
    def name(self) -> str:
        """The model's name."""
        return self.path.name


def model_names(repository: Path) -> tuple[str, ...]:
    """The folders of a repository that could be models, in order.

    Raises:
        RepositoryError: it cannot be read.
    """
    try:
        names = sorted(path.name for path in repository.iterdir() if path.is_dir())
    except OSError as error:
        raise RepositoryError(
            f"the repository {repository} cannot be read ({error.strerror}): "
            "run `keraport export` first or give --repository"
        ) from error
    return tuple(name for name in names if MODEL_NAME.fullmatch(name))


def read_model_folder(path: Path) -> ModelFolder:
    """List a model's versions."""
    try:
        found = [int(each.name) for each in path.iterdir() if VERSION.fullmatch(each.name) and each.is_dir()]
    except OSError as error:
        complaint = f"{path.name} cannot be read: {error.strerror}"
        return ModelFolder(path=path, versions=(), complaint=complaint, readable=False)
    # Clients read it in the repository's index: they need not know where on the disk that lies.
    complaint = "" if found else f"{path.name} holds no version of a model"
    return ModelFolder(path=path, versions=tuple(sorted(found, reverse=True)), complaint=complaint)


def confined(path: Path, repository: Path) -> Path:
    """Where a file or folder really is; it may be missing.

    Raises:
        ModelRefused: outside the repository, or a link that leads in circles.
    """
    name = path.relative_to(repository)
    try:
        real = path.resolve()
        inside = real.is_relative_to(repository.resolve())
    except (OSError, RuntimeError) as error:
        raise ModelRefused(f"{name} is a link that leads nowhere: put the file itself there") from error
    if not inside:
        raise ModelRefused(f"{name} is a link that leads out of the repository: put the file itself there")
    return real


def stamp(folder: Path) -> Stamp:
    """What changes when a version's files are replaced; they are not read for it."""
    return tuple(_stamp(folder / name) for name in SERVED_FILES)


def _stamp(path: Path) -> tuple[str, int, int, int]:
    try:
        status = os.stat(path)  # noqa: PTH116  (once for every version at every look)
    except OSError:
        return (path.name, 0, 0, 0)
    return (path.name, status.st_mtime_ns, status.st_size, status.st_ino)
