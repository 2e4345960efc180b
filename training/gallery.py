"""A picture of what is in a data set: some samples with their labels, as a PNG file."""

import io
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.samples import Dataset, Samples, Task

COLUMNS = 5
ROWS = 20  # as many classes as fit on one page
IMAGE_DIMENSIONS = 4  # samples, height, width, channels
CHANNELS = (1, 3)
BYTE = 255
CELL = 1.2  # inches
TITLE_LENGTH, TITLE_VALUES = 30, 3  # more would squeeze the pictures


def draw_gallery(dataset: Dataset) -> bytes | None:
    """Draw five samples of each class, a class a row; of other targets samples with their values.

    The samples are of the training split, if there is one, evenly spread over it. Of several inputs the
    first that holds images is drawn. An image of other numbers than bytes goes from its minimum, black, to
    its maximum, white.

    Returns:
        A PNG file's content; None if no input holds images.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    samples = dataset.train or dataset.test
    images = next((array for array in samples.inputs.values() if _holds_images(array)), None)
    if images is None:
        return None
    rows = _rows(dataset, samples)
    height, width = images.shape[1:3]
    row_height = CELL * min(max(height / width, 0.5), 2.0)
    figure = Figure(figsize=(CELL * (COLUMNS + 1), row_height * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(rows), COLUMNS, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for line, (title, indices) in zip(grid, rows, strict=True):
        line[0].text(-0.1, 0.5, title, transform=line[0].transAxes, ha="right", va="center", parse_math=False)
        for axes, index in zip(line, indices, strict=False):
            axes.imshow(_pixels(images[index]), cmap="gray", vmin=0, vmax=1)
            if not _in_classes(dataset):
                axes.set_title(_caption(dataset, samples, index), fontsize=7, parse_math=False)
    content = io.BytesIO()
    with warnings.catch_warnings():
        # The font lacks some scripts: a label is then drawn as boxes, which is no reason to stop.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        figure.savefig(content, format="png", dpi=100)
    return content.getvalue()


def _holds_images(array: NDArray[Any]) -> bool:
    return array.ndim == IMAGE_DIMENSIONS and array.shape[3] in CHANNELS and min(array.shape[1:3]) > 1


def _rows(dataset: Dataset, samples: Samples) -> list[tuple[str, NDArray[np.int64]]]:
    """A title and the indices of at most `COLUMNS` samples for each row."""
    if not _in_classes(dataset):
        chosen = _spread(np.arange(len(samples)), COLUMNS * COLUMNS)
        return [("", chosen[start : start + COLUMNS]) for start in range(0, len(chosen), COLUMNS)]
    return [
        (_shortened(label), _spread(np.flatnonzero(samples.y == index), COLUMNS))
        for index, label in enumerate(dataset.labels[:ROWS])
    ]


def _spread(indices: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    if len(indices) <= count:
        return indices
    return indices[np.linspace(0, len(indices) - 1, count).astype(np.int64)]


def _shortened(label: str) -> str:
    return label if len(label) <= TITLE_LENGTH else f"{label[: TITLE_LENGTH - 1]}…"


def _in_classes(dataset: Dataset) -> bool:
    return [target.task for target in dataset.targets.values()] == [Task.CLASSIFICATION]


def _caption(dataset: Dataset, samples: Samples, index: np.int64) -> str:
    """What the targets of one sample are; of many only the first."""
    parts: list[str] = []
    for name, target in dataset.targets.items():
        values = samples.targets[name][index]
        match target.task:
            case Task.CLASSIFICATION:
                parts.append(target.labels[values])
            case Task.MULTI_LABEL:
                parts += [target.labels[column] for column in np.flatnonzero(values)]
            case Task.REGRESSION:
                parts += [f"{value:.4g}" for value in values.flat[:TITLE_VALUES]]
    return _shortened(" ".join(parts[:TITLE_VALUES]))


def _pixels(image: NDArray[Any]) -> NDArray[np.float64]:
    """An image for matplotlib: (height, width) or (height, width, 3), 0 to 1."""
    low, high = (0.0, float(BYTE)) if image.dtype == np.uint8 else (float(image.min()), float(image.max()))
    scaled = (image.astype(np.float64) - low) / ((high - low) or 1.0)
    return scaled[..., 0] if image.shape[2] == 1 else scaled
