"""Samples in the report: pictures where inputs are images, numbers otherwise, and all of them small."""

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from export.formats import Format
from export.reporting.page import render_page
from export.reporting.pictures import Pictures, as_images, values_text

PNG = re.compile(r'src="data:image/png;base64,([^"]+)"')


def pictures(text):
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for data in PNG.findall(text)]


@pytest.fixture
def flipping(answers, make_artifact, make_report):
    """A report of ten formats with more flips each than are shown."""
    artifact = make_artifact(Format.TFLITE_INT8, answers.reference(), answers.near(2.5), answers.targets)
    assert len(artifact.comparison.outputs[0].flips) == 100
    return make_report(tuple(replace(artifact, format=kind) for kind in Format))


def test_a_flipped_image_is_shown_as_it_is(flipping, images):
    flips = flipping.artifacts[0].comparison.outputs[0].flips
    samples = np.zeros((3000, 28, 28, 1), np.uint8)
    samples[flips[0].index] = images[0]
    shown = pictures(render_page(flipping, {"image": samples}))
    assert len(shown) == 24
    np.testing.assert_array_equal(shown[0], images[0, ..., 0])


def test_a_page_of_many_large_pictures_stays_small(answers, make_artifact, make_report):
    kinds = list(Format)
    artifacts = [
        make_artifact(Format.TFLITE_INT8, answers.reference(), answers.near(2), answers.targets)
        for _ in range(3)
    ]
    report = make_report(tuple(replace(artifacts[n % 3], format=kind) for n, kind in enumerate(kinds)))
    noise = np.random.default_rng(0).integers(0, 256, (600, 224, 224, 3)).astype(np.uint8)
    text = render_page(report, {"photo": noise})
    assert 24 <= len(pictures(text)) <= 72
    assert len(text) < 1_500_000


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.full((2, 8, 8), 7, np.uint8), 7),
        (np.full((2, 8, 8, 3), 7, np.uint8), 7),
        (np.full((2, 8, 8, 1), 0.2, np.float32), 51),
        (np.full((2, 8, 8, 3), 51.0, np.float32), 51),
        (np.full((2, 8, 8, 1), -0.5, np.float32), None),
        (np.full((2, 8, 8, 1), 256.0, np.float32), None),
        (np.full((2, 8, 8, 1), np.nan, np.float32), None),
        (np.full((2, 8, 8, 2), 7, np.uint8), None),
        (np.full((2, 8, 8, 1), 7, np.int32), None),
        (np.full((2, 3, 3, 1), 7, np.uint8), None),
        (np.full((2, 8), 7, np.uint8), None),
        (np.zeros((0, 8, 8, 1), np.uint8), None),
    ],
)
def test_what_counts_as_an_image(array, expected):
    pixels = as_images(array)
    assert (pixels is None) == (expected is None)
    if expected is not None:
        assert pixels.dtype == np.uint8
        assert set(pixels.ravel().tolist()) == {expected}


def test_other_inputs_are_numbers():
    assert values_text(np.array([0.5, -1.23456, 3])) == "0.5, -1.235, 3"
    assert values_text(np.arange(100).reshape(10, 10)) == "0, 1, 2, 3, 4, 5, 6, 7 … (100 values)"
    assert values_text(np.array(["a text"])) == "a text"


def test_several_inputs_are_all_shown():
    samples = {"image": np.zeros((5, 8, 8), np.uint8), "weight": np.arange(5.0).reshape(5, 1)}
    shown = str(Pictures.of(samples, [3]).show(3))
    assert len(pictures(shown)) == 1
    assert "weight: 3" in shown


def test_samples_that_are_not_there_are_left_out():
    assert Pictures.of({"x": np.zeros((5, 8, 8), np.uint8)}, [7]).show(7) is None
    assert Pictures.of({}, [0]).show(0) is None


def test_memory_maps_are_read_by_rows(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((50, 8, 8), np.uint8))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert Pictures.of({"x": mapped}, [49]).show(49) is not None
