"""The common mistakes in turning pixels into inputs, and what each does to the accuracy, as measured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.edge.golden import Chosen, Golden, classes_of
from export.edge.reference_kernels import Bytes
from export.edge.subject import Subject

Pixels = NDArray[np.uint8]
Inputs = NDArray[np.int8]
MOST = 1000  # samples, for the time that they take
IMAGE_DIMENSIONS = 4  # samples, height, width, channels


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One way to make inputs of pixels, and how the model does with them.

    Attributes:
        what: is done.
        samples: of the test split, on which that was measured.
        accuracy: on the test samples; None where they have no classes.
        agreement: the share of samples whose class is the one of the right inputs.
    """

    what: str
    samples: int
    accuracy: float | None
    agreement: float


def _read_as_int8(pixels: Pixels) -> Inputs:
    return pixels.view(np.int8)


def _without_zero_point(pixels: Pixels) -> Inputs:
    return np.minimum(pixels, 127).astype(np.int8)


def _scaled_and_cut(pixels: Pixels) -> Inputs:
    return (pixels / 255).astype(np.int8)


def _inverted(pixels: Pixels) -> Inputs:
    return _right(255 - pixels)


def _transposed(pixels: Pixels) -> Inputs:
    return _right(pixels.swapaxes(1, 2)).reshape(pixels.shape)


def _scaled_then_shifted(pixels: Pixels) -> Inputs:
    return (np.rint(pixels / 255) - 128).astype(np.int8)


def _right(pixels: Pixels) -> Inputs:
    return (pixels.astype(np.int16) - 128).astype(np.int8)


RIGHT = "pixel - 128"
WRONG: dict[str, Callable[[Pixels], Inputs]] = {
    "raw bytes copied, read as int8": _read_as_int8,
    "zero point forgotten: the pixel itself, at most 127": _without_zero_point,
    "scaled to 0..1, then cut to int8": _scaled_and_cut,
    "scaled to 0..1, rounded, then minus 128": _scaled_then_shifted,
    "dark and light swapped": _inverted,
    "rows and columns swapped": _transposed,
}


def wrong_inputs(subject: Subject, test: Chosen) -> dict[str, Inputs]:
    """Test samples made into inputs in six wrong ways; nothing of what takes no images.

    Args:
        subject: the model.
        test: samples.
    """
    if not subject.pixels or subject.classes is None or test.raw.ndim != IMAGE_DIMENSIONS:
        return {}
    some, shape = test.raw[:MOST], subject.input.shape[1:]
    return {what: np.ascontiguousarray(way(some)).reshape(-1, *shape) for what, way in WRONG.items()}


def judge_mistakes(test: Golden, answers: Mapping[str, Bytes]) -> tuple[Mistake, ...]:
    """What each costs.

    Args:
        test: the same samples, and the answers to the right inputs.
        answers: to the inputs of `wrong_inputs`.

    Returns:
        The right way first, where there are any.
    """
    if not answers:
        return ()
    right = test.output[: min(map(len, answers.values()))]
    return tuple(_judge(what, classes_of(answer), test) for what, answer in {RIGHT: right, **answers}.items())


def _judge(what: str, found: NDArray[np.int64], test: Golden) -> Mistake:
    assert test.expected is not None  # noqa: S101  (there are answers of classifiers alone)
    count = len(found)
    return Mistake(
        what=what,
        samples=count,
        accuracy=None if test.label is None else float((found == test.label[:count]).mean()),
        agreement=float((found == test.expected[:count]).mean()),
    )
