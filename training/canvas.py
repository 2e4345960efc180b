"""What the figures of a run share: texts that fit, and the PNG file in the end."""

import io
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RIGHT, WRONG = "#2b6cb0", "#c53030"  # of answers; told apart by the colour-blind too


def shortened(label: str, length: int) -> str:
    """A label in one line of at most so many characters."""
    line = " ".join(label.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"


def to_png(figure: "Figure", *, dpi: int = 110) -> bytes:
    """A figure as a PNG file's content."""
    content = io.BytesIO()
    with warnings.catch_warnings():
        # The font lacks some scripts: a label is then drawn as boxes, which is no reason to stop.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        figure.savefig(content, format="png", dpi=dpi)
    return content.getvalue()
