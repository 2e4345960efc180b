"""What a trained classifier does on the validation split, as figures."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.calibration import reliability_diagram
from training.confusion import confusion_matrix
from training.mistakes import mistakes_gallery

CONFUSION_NAME = "confusion.png"
MISTAKES_NAME = "mistakes.png"
CALIBRATION_NAME = "calibration.png"


def evaluation_figures(
    probabilities: NDArray[Any],
    labels: NDArray[np.int64],
    class_names: Sequence[str],
    images: NDArray[np.uint8] | None,
) -> dict[str, bytes]:
    """Draw the confusion matrix, the reliability diagram and, of images, the most confident mistakes.

    Args:
        probabilities: (samples, classes), of the validation split; rows sum to 1.
        labels: (samples,) class indices.
        class_names: one a class.
        images: (samples, height, width, channels) with one channel or three; None if the data are no images.

    Returns:
        File name to a PNG file's content. There is no gallery without images of that shape or mistakes.

    Raises:
        ValueError: no samples, shapes that do not agree, or probabilities outside 0 to 1.
    """
    if len(labels) == 0 or probabilities.shape != (len(labels), len(class_names)):
        raise ValueError(
            f"probabilities {probabilities.shape} for {len(labels)} labels and {len(class_names)} classes"
        )
    if images is not None and len(images) != len(labels):
        raise ValueError(f"{len(images)} images for {len(labels)} labels")
    if not ((probabilities >= 0) & (probabilities <= 1 + 1e-5)).all():  # NaN is neither
        raise ValueError("probabilities outside 0 to 1")
    figures = {
        CONFUSION_NAME: confusion_matrix(probabilities.argmax(axis=1), labels, class_names),
        CALIBRATION_NAME: reliability_diagram(probabilities, labels),
    }
    gallery = None if images is None else mistakes_gallery(probabilities, labels, class_names, images)
    return figures if gallery is None else {**figures, MISTAKES_NAME: gallery}
