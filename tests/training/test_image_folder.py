"""Data sets from folders of images."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from training import pictures
from training.datasets import DataOptions, load_dataset
from training.errors import DatasetError

RED, BLUE = (250, 10, 10), (10, 10, 250)


def picture(colour, size=(12, 10), mode="RGB", **attributes):
    """A picture of one colour as PNG; the size is (height, width)."""
    content = io.BytesIO()
    Image.new(mode, size[::-1], colour).save(content, attributes.pop("format", "PNG"), **attributes)
    return content.getvalue()


def fill(folder, count, colour, *, suffix=".png", **attributes):
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        (folder / f"{index:03}{suffix}").write_bytes(picture(colour, **attributes))


@pytest.fixture
def animals(tmp_path):
    """Ten red bees, five blue ants, as PNG files of 12 x 10 pixels."""
    fill(tmp_path / "animals" / "bee", 10, RED)
    fill(tmp_path / "animals" / "ant", 5, BLUE)
    return tmp_path / "animals"


def test_sub_folders_are_classes_in_the_order_of_their_names(animals):
    dataset = load_dataset(str(animals))
    assert dataset.labels == ("ant", "bee")
    assert dataset.train.inputs["x"].shape == (12, 12, 10, 3)
    assert dataset.train.inputs["x"].dtype == np.uint8
    assert np.bincount(dataset.train.y).tolist() == [4, 8]
    assert np.bincount(dataset.test.y).tolist() == [1, 2]
    for samples in dataset.splits.values():
        for image, label in zip(samples.inputs["x"], samples.y, strict=True):
            assert image[5, 5].tolist() == list((BLUE, RED)[label])


def test_the_split_depends_on_names_alone(tmp_path):
    for root in (tmp_path / "one", tmp_path / "two"):
        (root / "a").mkdir(parents=True)
        (root / "b").mkdir()
    names = [f"{index}.png" for index in range(50)]
    for root, order in ((tmp_path / "one", names), (tmp_path / "two", names[::-1])):
        for name in order:
            for label in "ab":
                (root / label / name).write_bytes(picture(int(name[:-4]), mode="L"))
    one, two = load_dataset(str(tmp_path / "one")), load_dataset(str(tmp_path / "two"))
    assert one.sha256 == two.sha256
    tested = one.test.inputs["x"][:10, 0, 0, 0].tolist()
    assert len(set(tested)) == 10
    assert tested not in (list(range(10)), list(range(40, 50)))
    half = load_dataset(str(tmp_path / "one"), DataOptions(test_share=0.5))
    assert (len(half.train), len(half.test)) == (50, 50)


def test_train_and_test_folders_are_the_splits(tmp_path):
    for split, count in (("train", 4), ("test", 3)):
        fill(tmp_path / split / "a", count, 10, mode="L")
        fill(tmp_path / split / "b", count, 200, mode="L")
    dataset = load_dataset(str(tmp_path))
    assert (len(dataset.train), len(dataset.test), dataset.labels) == (8, 6, ("a", "b"))
    fill(tmp_path / "validation" / "a", 2, 10, mode="L")
    with pytest.raises(DatasetError, match="has validation/ beside train/ and test/"):
        load_dataset(str(tmp_path))


def test_sizes_must_agree_or_be_said(animals):
    (animals / "ant" / "x.png").write_bytes(picture(BLUE, (20, 30)))
    with pytest.raises(DatasetError, match=r"x\.png has 20 x 30 pixels.*--image-size 12x10"):
        load_dataset(str(animals))
    dataset = load_dataset(str(animals), DataOptions(image_size=(8, 6)))
    assert dataset.train.inputs["x"].shape[1:] == (8, 6, 3)


def test_grey_is_found_or_said(tmp_path, animals):
    fill(tmp_path / "grey" / "a", 3, 7, mode="L")
    fill(tmp_path / "grey" / "b", 3, 1, mode="1")
    fill(tmp_path / "grey" / "c", 3, 0x1234, mode="I;16")
    grey = load_dataset(str(tmp_path / "grey")).train
    assert grey.inputs["x"].shape[3] == 1
    # 0x1234 of 65,535 is 18 of 255.
    assert {int(y): int(x[0, 0, 0]) for x, y in zip(grey.inputs["x"], grey.y, strict=True)} == {
        0: 7, 1: 255, 2: 18,
    }  # fmt: skip
    assert load_dataset(str(tmp_path / "grey"), DataOptions(grey=False)).train.inputs["x"].shape[3] == 3
    # ITU-R 601-2: 0.299 red + 0.587 green + 0.114 blue.
    bees = load_dataset(str(animals), DataOptions(grey=True)).train.inputs["x"][-1]
    assert (bees.shape, bees[0, 0, 0]) == ((12, 10, 1), round(0.299 * 250 + 0.701 * 10))


def test_pictures_are_turned_upright_and_laid_on_white(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    fill(tmp_path / "a", 2, RED, size=(10, 12), format="JPEG", suffix=".JPG", exif=exif)
    fill(
        tmp_path / "b",
        2,
        (0, 0, 0, 0),
        size=(12, 10),
        mode="RGBA",
        format="WEBP",
        suffix=".webp",
        lossless=True,
    )
    fill(tmp_path / "c", 2, BLUE, size=(12, 10), format="BMP", suffix=".bmp")
    dataset = load_dataset(str(tmp_path))
    assert dataset.train.inputs["x"].shape[1:] == (12, 10, 3)
    assert dataset.train.inputs["x"][1, 0, 0].tolist() == [255, 255, 255]


def test_hidden_and_other_files_are_skipped(animals):
    before = load_dataset(str(animals)).sha256
    (animals / "ant" / ".hidden.png").write_bytes(b"no picture")
    (animals / "ant" / "notes.txt").write_text("no picture")
    (animals / ".cache").mkdir()
    (animals / "README.md").write_text("animals")
    assert load_dataset(str(animals)).sha256 == before


@pytest.mark.parametrize("content", [b"", b"no picture", picture(BLUE)[:-30], picture(BLUE, format="GIF")])
def test_a_corrupt_image_is_named(animals, content):
    path = animals / "ant" / "broken.png"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=re.escape(f"{path} cannot be decoded")):
        load_dataset(str(animals))


@pytest.mark.parametrize("limit", [100, 50])  # beyond it Pillow warns, beyond twice of it it raises
def test_a_decompression_bomb_is_refused(animals, monkeypatch, limit):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(DatasetError, match=f"has more than {limit} pixels"):
        load_dataset(str(animals), DataOptions(image_size=(8, 8)))


def test_too_many_pixels_are_refused_before_they_are_decoded(animals, monkeypatch):
    monkeypatch.setattr(pictures, "MEMORY_LIMIT", 15 * 12 * 10 * 3 - 1)
    with pytest.raises(DatasetError, match=r"15 images of 12 x 10 pixels fill 5,400 bytes.*--image-size"):
        load_dataset(str(animals))


@pytest.mark.parametrize("what", ["file", "folder"])
def test_links_that_leave_the_folder_are_refused(animals, tmp_path, what):
    fill(tmp_path / "elsewhere", 3, RED)
    if what == "file":
        (animals / "bee" / "z.png").symlink_to(tmp_path / "elsewhere" / "000.png")
    else:
        (animals / "cat").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match="is a link that leaves the folder"):
        load_dataset(str(animals))


def test_links_inside_the_folder_are_followed(animals):
    (animals / "bee" / "z.png").symlink_to(animals / "bee" / "000.png")
    (animals / "bee" / "loop.png").symlink_to(animals / "bee" / "loop.png")
    assert len(load_dataset(str(animals)).train) + len(load_dataset(str(animals)).test) == 16


def test_folders_without_classes_or_images_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="has no sub-folders"):
        load_dataset(str(tmp_path))
    (tmp_path / "a").mkdir()
    with pytest.raises(DatasetError, match="holds no images"):
        load_dataset(str(tmp_path))
    (tmp_path / "train" / "a").mkdir(parents=True)
    with pytest.raises(DatasetError, match="has train/ with classes in it but no test/: add it"):
        load_dataset(str(tmp_path))
    (tmp_path / "train" / "a").rmdir()
    (tmp_path / "test").mkdir()
    (tmp_path / "a").rmdir()
    with pytest.raises(DatasetError, match="train has no sub-folders"):
        load_dataset(str(tmp_path))
