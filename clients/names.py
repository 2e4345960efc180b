"""Names of files and classes, which hold any characters, as text for people and programs."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from clients.errors import InputError


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


@contextlib.contextmanager
def of_unicode() -> Iterator[None]:
    """What goes into a message meanwhile must be Unicode; undecodable bytes of a command line are not.

    Raises:
        InputError: a text is not.
    """
    try:
        yield
    except UnicodeEncodeError as error:
        raise InputError(f"{error.object[:100]!a} is no Unicode text: give a name that is") from error
