"""Pictures of all kinds become samples; what is no picture becomes one line."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from clients.errors import InputError
from clients.images import load_picture
from clients.results import TensorSpec


def test_a_fitting_picture_is_taken_as_it_is(save, grey, light_on_dark):
    picture = load_picture(save(light_on_dark), grey, invert=None)
    assert not picture.inverted
    assert picture.pixels.dtype == np.uint8
    np.testing.assert_array_equal(picture.pixels, light_on_dark[..., None])


@pytest.mark.parametrize(
    ("invert", "dark_on_light", "inverted"),
    [(None, True, True), (None, False, False), (True, False, True), (False, True, False)],
)
def test_inverting(save, grey, light_on_dark, invert, dark_on_light, inverted):
    pixels = 255 - light_on_dark if dark_on_light else light_on_dark
    picture = load_picture(save(pixels), grey, invert=invert)
    assert picture.inverted is inverted
    np.testing.assert_array_equal(picture.pixels[..., 0], 255 - pixels if inverted else pixels)


def test_a_larger_dark_on_light_picture_comes_out_alike(save, grey, light_on_dark):
    large = np.kron(255 - light_on_dark, np.ones((10, 10), np.uint8))
    picture = load_picture(save(large, "large.png"), grey, invert=None)
    assert picture.inverted
    assert np.abs(picture.pixels[..., 0].astype(int) - light_on_dark).mean() < 5


def test_colour_is_resized_and_never_inverted_by_guess(save, colour):
    pixels = np.full((32, 24, 3), (250, 240, 230), np.uint8)
    picture = load_picture(save(pixels), colour, invert=None)
    assert (picture.pixels.shape, picture.pixels.dtype, picture.inverted) == ((8, 6, 3), np.float32, False)
    assert picture.pixels[0, 0].tolist() == [250.0, 240.0, 230.0]


def test_free_sizes_keep_the_pictures_own(save):
    spec = TensorSpec(name="image", datatype="UINT8", shape=(-1, -1, -1))
    assert load_picture(save(np.zeros((5, 7), np.uint8)), spec, invert=None).pixels.shape == (5, 7)


def test_sixteen_bits_are_scaled_not_clipped(save, grey):
    picture = load_picture(save(np.full((28, 28), 0x4040, np.uint16)), grey, invert=False)
    assert set(picture.pixels.ravel().tolist()) == {0x40}


def test_transparency_lies_on_white(save, grey):
    assert load_picture(save(np.zeros((28, 28, 4), np.uint8)), grey, invert=False).pixels.min() == 255


def test_a_rotated_photo_is_turned_upright(tmp_path, grey, light_on_dark):
    pixels = light_on_dark.copy()
    pixels[:4] = 90
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    path = tmp_path / "photo.jpg"
    Image.fromarray(pixels).save(path, exif=exif, quality=100)
    turned = load_picture(path, grey, invert=False).pixels[..., 0]
    assert np.abs(turned.astype(int) - pixels[::-1, ::-1]).max() < 10


def write(path, content):
    path.write_bytes(content)
    return path


def test_no_picture_is_one_line(tmp_path, save, grey, light_on_dark):
    whole = save(light_on_dark).read_bytes()
    for path, message in (
        (tmp_path / "none.png", "none.png does not exist"),
        (tmp_path, "cannot be decoded"),
        (write(tmp_path / "text.png", b"no picture"), "text.png is no PNG or JPEG picture"),
        (write(tmp_path / "empty.png", b""), "empty.png is no PNG or JPEG picture"),
        (write(tmp_path / "cut.png", whole[:60]), "cut.png cannot be decoded"),
        (write(tmp_path / "gif.png", b"GIF89a" + bytes(20)), "gif.png is no PNG or JPEG picture"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            load_picture(path, grey, invert=None)
        assert "\n" not in str(caught.value)


def test_a_decompression_bomb_is_refused(tmp_path, grey):
    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    for side in (10_000, 60_000):  # where Pillow warns, and where it raises
        header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
        bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
        with pytest.raises(InputError, match="has more than 89,478,485 pixels"):
            load_picture(write(tmp_path / f"{side}.png", bomb), grey, invert=None)


@pytest.mark.parametrize(
    ("datatype", "shape"), [("FP32", (-1, 10)), ("UINT8", (-1, 3, 28, 28)), ("INT64", (-1, 8, 8))]
)
def test_a_model_that_takes_no_pictures(save, light_on_dark, datatype, shape):
    spec = TensorSpec(name="features", datatype=datatype, shape=shape)
    with pytest.raises(InputError, match=f"the model's input features is {datatype} .* no picture"):
        load_picture(save(light_on_dark), spec, invert=None)
