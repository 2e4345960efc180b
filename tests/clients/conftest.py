"""Pictures to predict."""

import numpy as np
import pytest
from PIL import Image

from clients.results import TensorSpec


@pytest.fixture
def save(tmp_path):
    """Save an array as a picture."""

    def save(pixels, name="picture.png"):
        path = tmp_path / name
        Image.fromarray(np.asarray(pixels)).save(path)
        return path

    return save


@pytest.fixture
def grey():
    return TensorSpec(name="image", datatype="UINT8", shape=(-1, 28, 28, 1))


@pytest.fixture
def colour():
    return TensorSpec(name="image", datatype="FP32", shape=(-1, 8, 6, 3))


@pytest.fixture
def light_on_dark():
    """A light block in the middle of a dark picture of 28 by 28."""
    pixels = np.zeros((28, 28), np.uint8)
    pixels[8:20, 8:20] = 200
    return pixels
