import hashlib
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from training import named
from training.datasets import load_dataset
from training.errors import DatasetError


def arrays(**changes):
    made = {
        "x_train": np.zeros((20, 12, 12), np.uint8),
        "y_train": np.arange(20) % 4,
        "x_test": np.ones((8, 12, 12), np.uint8),
        "y_test": np.arange(8) % 4,
    }
    made.update(changes)
    return {name: array for name, array in made.items() if array is not None}


@pytest.fixture
def save(tmp_path):
    def write(**changes) -> str:
        np.savez(tmp_path / "data.npz", **arrays(**changes))
        return str(tmp_path / "data.npz")

    return write


def test_mnist_holds_the_published_images():
    mnist = load_dataset("mnist")
    # MD5 sums as Keras users know them (data/README.md), over the arrays without a channel dimension.
    assert hashlib.md5(mnist.train.inputs["x"].tobytes()).hexdigest() == "6510e85a72c3e9475c492d559d3770d2"  # noqa: S324
    assert hashlib.md5(mnist.test.inputs["x"].tobytes()).hexdigest() == "240610fa99e73bfa49df8e7fc24d3206"  # noqa: S324
    assert mnist.train.inputs["x"].shape == (60000, 28, 28, 1)
    assert mnist.test.y[:5].tolist() == [7, 2, 1, 0, 4]
    assert mnist.labels == tuple("0123456789")


def test_a_changed_pixel_of_mnist_is_noticed(tmp_path, monkeypatch):
    with np.load(named.EMBEDDED_MNIST) as archive:
        content = dict(archive)
    content["x_test"][0, 0, 0] ^= 1
    np.savez(tmp_path / "mnist.npz", **content)
    monkeypatch.setattr(named, "EMBEDDED_MNIST", tmp_path / "mnist.npz")
    with pytest.raises(DatasetError, match="does not hold the published images"):
        load_dataset("mnist")


def test_a_cut_off_mnist_is_noticed(tmp_path, monkeypatch):
    shutil.copy(named.EMBEDDED_MNIST, tmp_path / "mnist.npz")
    with (tmp_path / "mnist.npz").open("r+b") as stream:
        stream.truncate(100_000)
    monkeypatch.setattr(named, "EMBEDDED_MNIST", tmp_path / "mnist.npz")
    with pytest.raises(DatasetError, match=r"no readable \.npz"):
        load_dataset("mnist")


def test_an_npz_is_loaded_with_its_labels_and_digest(save):
    first = load_dataset(save())
    assert first.train.inputs["x"].shape == (20, 12, 12, 1)
    assert first.labels == ("0", "1", "2", "3")
    assert Path(first.source).is_absolute()
    assert load_dataset(save()).sha256 == first.sha256
    assert load_dataset(save(y_test=np.zeros(8, int))).sha256 != first.sha256


def test_an_npz_may_hold_only_a_test_split(save):
    assert load_dataset(save(x_train=None, y_train=None)).train is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": None}, "lacks x_test"),
        ({"y_test": np.arange(7)}, "one whole-number class index a sample"),
        ({"y_test": np.linspace(0, 1, 8)}, "one whole-number class index a sample"),
        ({"y_test": -np.ones(8, int)}, "negative labels"),
        ({"x_test": np.zeros((0, 12, 12), np.uint8), "y_test": np.zeros(0, int)}, "empty"),
        ({"x_test": np.full((8, 12), np.nan), "x_train": np.zeros((20, 12))}, "NaN"),
        ({"x_test": np.zeros((8, 10, 10), np.uint8)}, "give both the same shape"),
    ],
)
def test_bad_arrays_are_refused_with_the_mend(save, changes, message):
    with pytest.raises(DatasetError, match=message):
        load_dataset(save(**changes))


def test_pickled_objects_are_never_loaded(tmp_path):
    np.savez(tmp_path / "data.npz", **arrays(), extra=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DatasetError, match=r"no readable \.npz"):
        load_dataset(str(tmp_path / "data.npz"))


@pytest.mark.parametrize(
    ("source", "message"),
    [("cifar", "give `mnist` or an .npz"), ("missing.npz", "there is no file missing.npz")],
)
def test_an_unknown_source_says_what_to_do(source, message):
    with pytest.raises(DatasetError, match=re.escape(message)):
        load_dataset(source)


def test_a_lone_array_is_no_data_set(tmp_path):
    with (tmp_path / "data.npz").open("wb") as stream:
        np.save(stream, np.zeros(3))
    with pytest.raises(DatasetError, match="holds a single array"):
        load_dataset(str(tmp_path / "data.npz"))
