"""Image files to one array of pixels, prepared as `keraport predict` prepares what it sends."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.errors import DatasetError
from training.samples import MEMORY_LIMIT

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L")


def read_pictures(
    paths: Sequence[Path], *, size: tuple[int, int] | None, grey: bool | None
) -> NDArray[np.uint8]:
    """Decode images, turn them upright, lay transparent ones on white, resize them.

    Args:
        paths: at least one.
        size: (height, width) in pixels; None: that of the first image, which all must have.
        grey: or colour; None: grey if all of them are.

    Returns:
        (images, height, width, channels), with one channel or three.

    Raises:
        DatasetError: an image is corrupt, too large or of another size, or all of them fill too much memory.
    """
    if grey is None:
        grey = all(_is_grey(path) for path in paths)
    mode, channels = ("L", 1) if grey else ("RGB", 3)
    height, width = size or _decode(paths[0], mode).size[::-1]
    total = len(paths) * height * width * channels
    if total > MEMORY_LIMIT:
        raise DatasetError(
            f"{len(paths):,} images of {height} x {width} pixels fill {total:,} bytes, more than "
            f"{MEMORY_LIMIT:,}: choose a smaller image size (--image-size)"
        )
    pictures = np.empty((len(paths), height, width, channels), np.uint8)
    for index, path in enumerate(paths):
        picture = _decode(path, mode)
        if picture.size != (width, height):
            if size is None:
                raise DatasetError(
                    f"{path} has {picture.height} x {picture.width} pixels, {paths[0].name} has "
                    f"{height} x {width}: say which size all of them get (--image-size {height}x{width})"
                )
            picture = picture.resize((width, height), _bilinear())
        pictures[index] = np.asarray(picture).reshape(height, width, channels)
    return pictures


def _is_grey(path: Path) -> bool:
    with _opened(path) as picture:
        return picture.mode in GREY_MODES


def _decode(path: Path, mode: str) -> "Image.Image":
    from PIL import Image, ImageOps

    with _opened(path) as opened:
        picture = ImageOps.exif_transpose(opened)
        if picture.mode.startswith("I"):  # 16 bits, which Pillow's own conversion would clip at 255
            picture = Image.fromarray((np.asarray(picture) // 257).astype(np.uint8))
        if picture.has_transparency_data:
            picture = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        return picture.convert(mode)


def _bilinear() -> "Image.Resampling":
    from PIL import Image

    return Image.Resampling.BILINEAR


@contextmanager
def _opened(path: Path) -> Iterator["Image.Image"]:
    """An image file whose header has been read; what goes wrong with it names the file."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            # Pillow only warns of an image that is up to twice as large as its limit.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as picture:
                yield picture
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DatasetError(
            f"{path} has more than {Image.MAX_IMAGE_PIXELS:,} pixels: make it smaller first"
        ) from error
    # Pillow raises SyntaxError and ValueError for some broken files, besides OSError.
    except (OSError, SyntaxError, ValueError) as error:
        raise DatasetError(f"{path} cannot be decoded ({error}): mend or remove the file") from error
