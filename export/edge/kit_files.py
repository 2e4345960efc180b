"""The files that are the same in every kit."""

from importlib import resources
from pathlib import Path

PREPROCESSING = ("preprocess.h", "preprocess.c")


def copy_files(folder: Path, *names: str) -> None:
    """Put some of them into a kit."""
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes((resources.files("export.edge") / "files" / name).read_bytes())
