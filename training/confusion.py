"""Which classes a classifier takes for which, as a PNG file."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.canvas import RIGHT, shortened, to_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLASS_LIMIT = 100  # more are no longer readable
COUNT_LIMIT = 3_000  # writing more takes many seconds, and only a hopeless model fills so many cells
NAME_LENGTH = 20  # characters
DARK = 0.62  # from this colour on, black on it is hard to read
CAPTION = "blue: right, red: wrong, as shares of the row, red by their square root and up to the largest"
POINTS = 72  # an inch


def count_confusions(
    predicted: NDArray[np.int64], labels: NDArray[np.int64], classes: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Count samples by true and predicted class.

    Args:
        predicted: (samples,) class indices.
        labels: likewise.
        classes: indices of those to count, ascending.

    Returns:
        (true classes, predicted classes), of samples for which both are among `classes`.
    """
    among = np.isin(labels, classes) & np.isin(predicted, classes)
    rows, columns = (np.searchsorted(classes, indices[among]) for indices in (labels, predicted))
    counts = np.bincount(rows * len(classes) + columns, minlength=len(classes) ** 2)
    return counts.reshape(len(classes), len(classes))


def confusion_matrix(
    predicted: NDArray[np.int64], labels: NDArray[np.int64], class_names: Sequence[str]
) -> bytes:
    """Draw the counts of true and predicted classes on the validation split.

    Colours are shares of the row: those of right answers from 0 to 1, those of mistakes on a square-root
    scale of their own, so that few stand out too. Of more than `CLASS_LIMIT` classes those that take part in
    the most mistakes are drawn, and of more than `COUNT_LIMIT` counts the largest are written.

    Args:
        predicted: (samples,) class indices.
        labels: likewise.
        class_names: one a class.

    Returns:
        A PNG file's content.
    """
    from matplotlib.figure import Figure

    classes = _most_confused(predicted, labels, len(class_names))
    counts = count_confusions(predicted, labels, classes)
    sizes = np.bincount(labels, minlength=len(class_names))[classes]
    names = [shortened(class_names[index], NAME_LENGTH) for index in classes]
    cell = min(1.3, max(0.31, 6.0 / len(classes)))  # inches
    side = cell * len(classes) + 0.07 * max(map(len, names)) + 1.3
    figure = Figure(figsize=(max(side + 0.4, 6.5), max(side, 4.0)), layout="constrained")
    title = f"Confusion on the validation split: {(predicted == labels).mean():.2%} of {len(labels):,} right"
    if len(classes) < len(class_names):
        title += f"\n{len(classes)} of {len(class_names):,} classes, those with the most mistakes"
    heading = 11 + 0.12 * len(classes)  # points
    figure.suptitle(title, fontsize=heading)
    figure.supxlabel(CAPTION, fontsize=0.8 * heading, color="0.4")
    axes = figure.subplots()
    _draw_cells(axes, counts, sizes, min(11.0, cell * POINTS / (0.62 * len(str(counts.max())) + 0.5)))
    _name_classes(axes, names, [_share(counts[row, row], size) for row, size in enumerate(sizes)], heading)
    return to_png(figure, dpi=100)


def _most_confused(
    predicted: NDArray[np.int64], labels: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    wrong = predicted != labels
    mistakes = np.bincount(labels[wrong], minlength=classes) + np.bincount(
        predicted[wrong], minlength=classes
    )
    return np.sort(np.argsort(-mistakes, kind="stable")[:CLASS_LIMIT])


def _draw_cells(axes: "Axes", counts: NDArray[np.int64], sizes: NDArray[np.int64], font_size: float) -> None:
    shares = counts / np.maximum(sizes, 1)[:, np.newaxis]
    diagonal = np.eye(len(counts), dtype=bool)
    mistakes = np.sqrt(np.where(diagonal, 0.0, shares))
    mistakes /= mistakes.max() or 1.0
    for values, hidden, colours in (
        (shares, ~diagonal, "Blues"),
        (mistakes, diagonal | (counts == 0), "Reds"),
    ):
        axes.imshow(
            np.ma.masked_array(values, hidden), cmap=colours, vmin=0, vmax=1.15, interpolation="nearest"
        )
    largest = np.argsort(-counts, axis=None, kind="stable")[: min(np.count_nonzero(counts), COUNT_LIMIT)]
    for row, column in zip(*np.unravel_index(largest, counts.shape), strict=True):
        depth = shares[row, column] if row == column else mistakes[row, column]
        axes.text(
            column,
            row,
            str(counts[row, column]),
            ha="center",
            va="center",
            fontsize=font_size,
            color="white" if depth > DARK else "black",
            in_layout=False,  # they lie within the cells, and measuring thousands of them takes long
        )


def _name_classes(axes: "Axes", names: Sequence[str], shares: Sequence[str], heading: float) -> None:
    places = range(len(names))
    style: dict[str, Any] = {"fontsize": 9, "parse_math": False}
    slanted: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    long = max(map(len, names)) > 3  # noqa: PLR2004  (characters that fit side by side)
    axes.set_xticks(places, names, **style, **(slanted if long else {}))
    axes.set_yticks(places, names, **style)
    axes.set_xlabel("predicted class", fontsize=heading)
    axes.set_ylabel("true class", fontsize=heading)
    axes.set_xticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(names) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="0.9", linewidth=0.5)
    axes.tick_params(which="minor", length=0)
    recall = axes.secondary_yaxis("right")
    recall.set_yticks(places, shares, fontsize=8, color=RIGHT)
    recall.set_ylabel("recall", color=RIGHT, fontsize=heading)
    recall.tick_params(length=0)


def _share(count: int, size: int) -> str:
    return f"{count / size:.1%}" if size else "-"
