"""The mistakes that a classifier is surest of, as a PNG file."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.canvas import RIGHT, WRONG, shortened, to_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS, ROWS = 6, 4
CELL = 1.6  # inches
NAME_LENGTH = 15  # characters that fit into a cell
IMAGE_DIMENSIONS = 4  # samples, height, width, channels
CHANNELS = (1, 3)


def most_confident_mistakes(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Indices of the samples whose predicted class is wrong, the highest probability first.

    Args:
        probabilities: (samples, classes).
        labels: (samples,) class indices.
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")]


def mistakes_gallery(
    probabilities: NDArray[Any],
    labels: NDArray[np.int64],
    class_names: Sequence[str],
    images: NDArray[np.uint8],
) -> bytes | None:
    """Draw the most confident mistakes on the validation split, with the true and the predicted class.

    Args:
        probabilities: (samples, classes).
        labels: (samples,) class indices.
        class_names: one a class.
        images: (samples, height, width, channels).

    Returns:
        A PNG file's content; None if there is no mistake, or no image of one channel or three.
    """
    from matplotlib.figure import Figure

    mistakes = most_confident_mistakes(probabilities, labels)
    if len(mistakes) == 0 or images.ndim != IMAGE_DIMENSIONS or images.shape[3] not in CHANNELS:
        return None
    shown = mistakes[: COLUMNS * ROWS]
    height, width = images.shape[1:3]
    rows = -(-len(shown) // COLUMNS)
    row_height = CELL * min(max(height / width, 0.4), 2.0) + 0.5  # and the texts
    figure = Figure(figsize=(CELL * COLUMNS, row_height * rows + 0.5), layout="constrained")
    figure.suptitle(
        f"Mistakes on the validation split: {len(mistakes):,} of {len(labels):,}, "
        f"{'the' if len(shown) == len(mistakes) else f'the {len(shown)}'} most confident first",
        fontsize=11,
    )
    grid = figure.subplots(rows, COLUMNS, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, index in zip(grid.flat, shown, strict=False):
        image = images[index]
        axes.imshow(image[..., 0] if image.shape[2] == 1 else image, cmap="gray", vmin=0, vmax=255)
        chosen = int(probabilities[index].argmax())
        _write_beside(axes, class_names[labels[index]], class_names[chosen], probabilities[index, chosen])
    return to_png(figure)


def _write_beside(axes: "Axes", true: str, predicted: str, probability: float) -> None:
    texts = (
        (1, 15, "bottom", RIGHT, f"true: {shortened(true, NAME_LENGTH)}"),
        (1, 3, "bottom", WRONG, f"predicted: {shortened(predicted, NAME_LENGTH)}"),
        (0, -3, "top", WRONG, f"{probability:.1%}"),
    )
    for edge, points, side, colour, text in texts:
        axes.annotate(
            text,
            (0.5, edge),
            (0, points),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="center",
            va=side,
            color=colour,
            fontsize=8,
            parse_math=False,
        )
