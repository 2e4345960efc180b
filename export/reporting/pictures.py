"""Samples as the report shows them: pictures where an input holds images, else their numbers."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from export.reporting.markup import Markup, join, tag
from export.reporting.numbers import shortened
from export.runner import Feed

BUDGET_BYTES = 600_000  # all pictures of a report, so that it can be attached to a ticket
SIZES = (224, 160, 112, 80, 56, 40, 32, 24)
SMALLEST = 4  # pixels a side; what is smaller is a short vector, not an image
COLOURS = (1, 3)  # channels
SHOWN_VALUES = 8
BYTE = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Chosen samples, ready to be shown.

    Attributes:
        rows: place of each chosen sample in the arrays below.
        images: by input name, uint8 (samples, height, width, 1 or 3).
        values: by input name, what is no image.
        share: bytes that one picture may have.
    """

    rows: Mapping[int, int]
    images: Mapping[str, NDArray[np.uint8]]
    values: Mapping[str, NDArray[Any]]
    share: int

    @classmethod
    def of(cls, samples: Feed, chosen: Sequence[int]) -> Self:
        """Take the chosen samples out of all of them; those beyond their end are left out."""
        count = min((len(array) for array in samples.values()), default=0)
        present = [index for index in chosen if index < count]
        taken = {name: np.asarray(array[present]) for name, array in samples.items()}
        images = {name: pixels for name, array in taken.items() if (pixels := as_images(array)) is not None}
        return cls(
            rows={index: row for row, index in enumerate(present)},
            images=images,
            values={name: array for name, array in taken.items() if name not in images},
            share=BUDGET_BYTES // max(1, len(present) * len(images)),
        )

    def show(self, index: int) -> Markup | None:
        """One sample; None if it is not there."""
        row = self.rows.get(index)
        if row is None:
            return None
        pictures = [
            _picture(images[row], self.share, f"sample {index}, input {shortened(name)}")
            for name, images in self.images.items()
        ]
        texts = [
            tag("code", f"{shortened(name)}: {values_text(array[row])}")
            for name, array in self.values.items()
        ]
        return join(*pictures, *texts)


def as_images(array: NDArray[Any]) -> NDArray[np.uint8] | None:
    """Samples as grey or coloured pixels, if that is what they seem to be.

    Args:
        array: (samples, height, width) or (samples, height, width, 1 or 3); uint8, or floats in 0..1 or in
            0..255.
    """
    if array.ndim == 3:  # noqa: PLR2004  (no channel dimension)
        array = array[..., np.newaxis]
    if array.ndim != 4 or array.shape[3] not in COLOURS or min(array.shape[1:3]) < SMALLEST or not array.size:  # noqa: PLR2004
        return None
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f" or not np.isfinite(array).all() or array.min() < 0 or array.max() > BYTE:
        return None
    scale = BYTE if array.max() <= 1 else 1
    return np.rint(array.astype(np.float64) * scale).astype(np.uint8)


def values_text(values: NDArray[Any]) -> str:
    """The first numbers or texts of a sample."""
    flat = values.ravel()
    shown = [
        f"{value:.4g}" if isinstance(value, float) else shortened(str(value), 80)
        for value in flat[:SHOWN_VALUES].tolist()
    ]
    rest = f" … ({flat.size:,} values)" if flat.size > SHOWN_VALUES else ""
    return f"{', '.join(shown)}{rest}"


def _picture(pixels: NDArray[np.uint8], share: int, text: str) -> Markup:
    """An image as large as its share of the page allows."""
    from PIL import Image

    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    for size in SIZES:
        smaller = image.copy()
        if max(image.size) > size:
            smaller.thumbnail((size, size))
        stream = io.BytesIO()
        smaller.save(stream, "PNG", optimize=True)
        if stream.tell() <= share:
            break
    data = base64.b64encode(stream.getvalue()).decode()
    height, width = pixels.shape[:2]
    return tag(
        "img",
        src=f"data:image/png;base64,{data}",
        alt=text,
        title=f"{text}, {width} \N{MULTIPLICATION SIGN} {height} pixels",
    )
