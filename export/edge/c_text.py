"""Pieces of C source: numbers, texts and arrays that any C99 compiler reads the same way."""

import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

ROW = 16  # numbers a line
PRINTABLE = range(0x20, 0x7F)
UNSAFE = re.compile(r"[^A-Za-z0-9 ._,:;+=()%<>|'-]")
ESCAPED = b'"\\?'  # the last one so that no trigraph can form


def c_string(text: str) -> str:
    """A string literal; what is not plain ASCII becomes octal escapes of its UTF-8 bytes."""
    parts = [
        chr(byte) if byte in PRINTABLE and byte not in ESCAPED else f"\\{byte:03o}" for byte in text.encode()
    ]
    return f'"{"".join(parts)}"'


def c_comment(text: str) -> str:
    """A text that cannot end the comment that it stands in, nor its line: what could becomes _."""
    return UNSAFE.sub("_", " ".join(text.split()))


def c_float(value: float) -> str:
    """A float literal with the digits that give the same number back."""
    text = str(np.float32(value))
    return f"{text}f" if any(mark in text for mark in ".en") else f"{text}.0f"


def c_numbers(values: Iterable[object]) -> str:
    """What stands in the braces of an initializer, some numbers a line."""
    texts = [str(value) for value in values]
    lines = [", ".join(texts[start : start + ROW]) for start in range(0, len(texts), ROW)]
    return ",\n".join(f"    {line}" for line in lines)


def c_rows(rows: NDArray[np.integer]) -> str:
    """The initializer of an array of arrays."""
    return ",\n".join(f"  {{\n{c_numbers(row.ravel().tolist())}\n  }}" for row in rows)
