"""HTML and SVG out of small pieces: what is not markup already is escaped, so that no text can break out."""

import html
import re

# What neither HTML nor XML may hold, lone surrogates, and marks that reorder the text around them.
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
REPLACEMENT = "\ufffd"
VOID = {"meta", "img", "br", "col"}


class Markup(str):
    """A text that is markup already."""

    __slots__ = ()


Piece = str | Markup | None
Attribute = str | float | bool | None


def printable(text: str) -> str:
    """A text whose control characters are replaced, so that every reader can show it."""
    return UNPRINTABLE.sub(REPLACEMENT, text)


def escape(text: str) -> Markup:
    """A text as markup that shows it."""
    return text if isinstance(text, Markup) else Markup(html.escape(printable(text)))


def join(*pieces: Piece) -> Markup:
    """Pieces in a row; None stands for nothing."""
    return Markup("".join(escape(piece) for piece in pieces if piece is not None))


def tag(name: str, *pieces: Piece, **attributes: Attribute) -> Markup:
    """An element.

    Args:
        name: of the element.
        pieces: what it holds.
        attributes: underscores become dashes, one at the end of a Python keyword goes; False and None are
            left out, True has no value, numbers are cut to two decimals.
    """
    texts = [
        _attribute(key, value)
        for key, value in attributes.items()
        if value is not None and value is not False
    ]
    start = f"<{name}{''.join(texts)}>"
    return Markup(start if name in VOID else f"{start}{join(*pieces)}</{name}>")


def _attribute(key: str, value: Attribute) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    text = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return f' {name}="{escape(text)}"'
