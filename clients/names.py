"""Names of files and classes, which hold any characters, as text for people and programs."""

import os
from pathlib import Path


def file_name(path: Path) -> str:
    r"""A file's name as valid Unicode: bytes of another encoding become `\xff` and the like."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def printable(text: str | Path) -> str:
    r"""A text on one line that steers no terminal: what cannot be printed becomes `\n`, `\x1b` and so on."""
    known = file_name(text) if isinstance(text, Path) else text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in known
    )
