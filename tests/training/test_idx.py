"""Data sets from folders of IDX files."""

import gzip

import numpy as np
import pytest

from training import idx
from training.datasets import load_dataset
from training.errors import DatasetError

IMAGES, LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


def images(count):
    return np.arange(count * 12 * 10, dtype=np.uint8).reshape(count, 12, 10)


def idx_file(array):
    sizes = np.array(array.shape, ">u4").tobytes()
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


@pytest.fixture
def folder(tmp_path):
    """Twelve training samples, compressed, and six to test on."""
    for prefix, count, suffix in (("train", 12, ".gz"), ("t10k", 6, "")):
        labels = (np.arange(count) % 3).astype(np.uint8)
        for name, array in (("images-idx3-ubyte", images(count)), ("labels-idx1-ubyte", labels)):
            content = idx_file(array)
            (tmp_path / f"{prefix}-{name}{suffix}").write_bytes(gzip.compress(content) if suffix else content)
    return tmp_path


def test_the_four_files_are_read_compressed_or_not(folder):
    dataset = load_dataset(str(folder))
    assert dataset.source == str(folder)
    assert np.array_equal(dataset.train.inputs["x"][..., 0], images(12))
    assert np.array_equal(dataset.test.inputs["x"][..., 0], images(6))
    assert dataset.test.y.tolist() == [0, 1, 2, 0, 1, 2]
    assert dataset.labels == ("0", "1", "2")


def test_the_training_files_may_be_missing(folder):
    for path in folder.glob("train-*"):
        path.unlink()
    assert load_dataset(str(folder)).train is None


@pytest.mark.parametrize("name", [IMAGES, LABELS, "train-images-idx3-ubyte.gz"])
def test_half_a_split_is_refused(folder, name):
    (folder / name).unlink()
    with pytest.raises(DatasetError, match=f"lacks {name.removesuffix('.gz')}"):
        load_dataset(str(folder))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (IMAGES, idx_file(images(6))[:-1], "is cut off .it should hold 720 bytes"),
        (IMAGES, idx_file(images(6)) + b"\0", "goes on after its last sample"),
        (IMAGES, idx_file(images(6))[:9], "no IDX file of unsigned bytes in 3 dimension"),
        (IMAGES, b"\0\0\x0d\x03" + idx_file(images(6))[4:], "no IDX file of unsigned bytes"),
        (LABELS, idx_file(images(6)), "no IDX file of unsigned bytes in 1 dimension"),
        (LABELS, b"", "no IDX file"),
        (LABELS, idx_file(np.zeros(5, np.uint8)), "has shape"),
        (IMAGES, b"\0\0\x08\x03" + b"\xff" * 12, "says that it holds"),
    ],
)
def test_a_damaged_file_is_refused_by_name(folder, name, content, message):
    (folder / name).write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        load_dataset(str(folder))


@pytest.mark.parametrize("damage", [lambda content: content[:-12], lambda content: b"PK" + content[2:]])
def test_a_damaged_compressed_file_is_refused_by_name(folder, damage):
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DatasetError, match=f"{path} cannot be read"):
        load_dataset(str(folder))


def test_a_file_that_unpacks_to_more_than_it_says_is_not_unpacked(folder, monkeypatch):
    monkeypatch.setattr(idx, "MEMORY_LIMIT", 100)
    with pytest.raises(DatasetError, match="more than 100"):
        load_dataset(str(folder))
