"""Pictures of any size to what a model takes."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from clients.errors import InputError
from clients.names import printable
from clients.results import TensorSpec
from export.manifest import DATATYPES

PICTURE_DATATYPES = {name: DATATYPES[name] for name in ("UINT8", "FP16", "BF16", "FP32", "FP64")}

# Mean brightness of the rim, 0 to 255, above which a grey picture is taken for dark on light.
LIGHT_RIM = 127


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One decoded picture.

    Attributes:
        pixels: in the shape of one sample, values 0 to 255 in the model's dtype.
        inverted: whether light and dark were swapped.
    """

    pixels: NDArray[Any]
    inverted: bool


def load_picture(path: Path, spec: TensorSpec, *, invert: bool | None) -> Picture:
    """Read a PNG or JPEG file, turn it upright, resize it and convert it to grey or colour.

    Args:
        path: the file.
        spec: the model's input, [-1, height, width] or [-1, height, width, 1 or 3]; a free height or width
            keeps the picture's own.
        invert: swap light and dark; None: do so if the model takes grey and the picture is dark on light,
            as digits on paper are, for the built-in model learnt light on dark.

    Raises:
        InputError: the file is no such picture, or the model takes none.
    """
    channels = _channels(spec)
    picture = _read(path).convert("L" if channels == 1 else "RGB")
    height, width = spec.shape[1:3]
    size = (picture.width if width == -1 else width, picture.height if height == -1 else height)
    inverted = channels == 1 and _is_dark_on_light(picture) if invert is None else invert
    if inverted:
        picture = ImageOps.invert(picture)
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.BILINEAR)
    pixels = np.asarray(picture, PICTURE_DATATYPES[spec.datatype])
    return Picture(
        pixels=pixels[..., None] if spec.shape[3:] == (1,) else pixels,
        inverted=inverted,
    )


def _channels(spec: TensorSpec) -> int:
    match spec.shape[1:]:
        case (_, _) | (_, _, 1) if spec.datatype in PICTURE_DATATYPES:
            return 1
        case (_, _, 3) if spec.datatype in PICTURE_DATATYPES:
            return 3
    raise InputError(
        f"the model's input {spec.name} is {spec.datatype} {list(spec.shape)}, no picture: "
        "give a .npy or .npz file"
    )


def _read(path: Path) -> Image.Image:
    try:
        with warnings.catch_warnings():
            # Pillow only warns of a picture that is up to twice as large as its limit.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=("PNG", "JPEG")) as picture:
                return _eight_bits(ImageOps.exif_transpose(picture))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(
            f"{printable(path)} has more than {Image.MAX_IMAGE_PIXELS:,} pixels: make it smaller first"
        ) from error
    except UnidentifiedImageError as error:
        raise InputError(
            f"{printable(path)} is no PNG or JPEG picture: give one, or a .npy or .npz file"
        ) from error
    except FileNotFoundError as error:
        raise InputError(f"{printable(path)} does not exist: give the path of a picture or array") from error
    # Pillow raises SyntaxError and ValueError for some broken files, besides OSError.
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(
            f"{printable(path)} cannot be decoded ({error}): give a whole PNG or JPEG file"
        ) from error


def _eight_bits(picture: Image.Image) -> Image.Image:
    """A picture without transparency, laid on white, and with 8 bits a channel."""
    if picture.mode.startswith("I"):  # 16 bits, which Pillow's own conversion would clip at 255
        return Image.fromarray((np.asarray(picture) // 257).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    picture.load()
    return picture


def _is_dark_on_light(picture: Image.Image) -> bool:
    pixels = np.asarray(picture)
    rim = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return float(np.mean(rim)) > LIGHT_RIM
