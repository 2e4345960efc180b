"""Data sets from `.npz` files."""

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from training import npz
from training.datasets import DataOptions, Task, load_dataset
from training.errors import DatasetError


def arrays(**changes):
    made = {
        "x_train": np.zeros((20, 12, 12), np.uint8),
        "y_train": np.arange(20) % 4,
        "x_test": np.ones((8, 12, 12), np.uint8),
        "y_test": np.arange(8) % 4,
    }
    made.update(changes)
    return {name.replace("__", "/"): array for name, array in made.items() if array is not None}


@pytest.fixture
def save(tmp_path):
    """Write a good file with some changes; `__` stands for `/` in a name."""

    def write(**changes) -> str:
        np.savez(tmp_path / "data.npz", **arrays(**changes))
        return str(tmp_path / "data.npz")

    return write


def test_an_npz_is_loaded_with_its_labels_and_digest(save):
    first = load_dataset(save())
    assert first.train.inputs["x"].shape == (20, 12, 12, 1)
    assert first.labels == ("0", "1", "2", "3")
    assert first.task is Task.CLASSIFICATION
    assert Path(first.source).is_absolute()
    assert load_dataset(save()).sha256 == first.sha256
    assert load_dataset(save(y_test=np.zeros(8, int))).sha256 != first.sha256


def test_an_npz_may_hold_only_a_test_split(save):
    dataset = load_dataset(save(x_train=None, y_train=None))
    assert dataset.train is None
    assert list(dataset.splits) == ["test"]


def test_an_npz_may_name_its_classes(save):
    names = ["ant", "bee", "cat", "dög"]
    dataset = load_dataset(save(labels=np.array(names)))
    assert dataset.labels == tuple(names)
    assert dataset.sha256 == load_dataset(save()).sha256


def test_several_inputs_keep_their_names(save):
    left, right = np.zeros((20, 3), np.float32), np.ones((20, 5), ">i4")
    dataset = load_dataset(
        save(
            x_train=None, x_test=None, x_train__left=left, x_train__right=right,
            x_test__right=right[:8], x_test__left=left[:8],
        )
    )  # fmt: skip
    assert {name: array.shape for name, array in dataset.train.inputs.items()} == {
        "left": (20, 3),
        "right": (20, 5),
    }
    assert dataset.test.inputs["right"].dtype == np.dtype("=i4")
    assert dataset.test.inputs["right"].tolist() == right[:8].tolist()


def test_a_column_of_classes_is_one_dimension(save):
    dataset = load_dataset(save(y_train=np.arange(20)[:, None] % 4, y_test=np.arange(8)[:, None] % 4))
    assert dataset.train.y.tolist() == [0, 1, 2, 3] * 5


@pytest.mark.parametrize(
    ("y_train", "y_test", "values"),
    [
        (np.linspace(0, 1, 20), np.linspace(0, 1, 8), 1),
        (np.ones((20, 3), np.float16) / 2, np.ones((8, 3)) / 4, 3),
    ],
)
def test_floats_are_regression(save, y_train, y_test, values):
    dataset = load_dataset(save(y_train=y_train, y_test=y_test))
    assert (dataset.task, dataset.labels) == (Task.REGRESSION, ())
    assert (dataset.train.y.shape, dataset.train.y.dtype) == ((20, values), np.float32)
    assert np.allclose(dataset.test.y.ravel(), y_test.ravel())


def test_the_task_may_be_said(save):
    assert load_dataset(save(), DataOptions(task=Task.REGRESSION)).train.y[:3].tolist() == [[0], [1], [2]]
    floats = save(y_train=np.arange(20.0) % 4, y_test=np.arange(8.0) % 4)
    classes = load_dataset(floats, DataOptions(task=Task.CLASSIFICATION))
    assert (classes.train.y.dtype, classes.labels) == (np.int64, ("0", "1", "2", "3"))
    with pytest.raises(DatasetError, match="one whole-number class index a sample"):
        load_dataset(
            save(y_train=np.linspace(0, 1, 20), y_test=np.linspace(0, 1, 8)),
            DataOptions(task=Task.CLASSIFICATION),
        )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": None, "y_test": None}, "lacks x_test and y_test"),
        ({"x_test": None}, "holds y_test but lacks x_test"),
        ({"y_train": None}, "holds x_train but lacks y_train"),
        ({"y_test": np.arange(7)}, "has shape"),
        ({"y_test": np.linspace(0, 1, 8)}, "one whole-number class index a sample"),
        ({"y_train": np.array(["a"] * 20)}, "or floats"),
        ({"y_train": np.arange(60).reshape(20, 3)}, "or floats"),
        ({"y_train": np.eye(20), "y_test": np.eye(20)[:8]}, r"argmax\(1\)"),
        ({"y_train": np.ones((20, 2), int)}, "multi-label cannot be learnt yet"),
        ({"y_test": -np.ones(8, int)}, "number them from 0"),
        ({"y_train": np.arange(20) * 10_000}, "number them from 0, at most 100,000"),
        ({"y_test": np.full(8, np.inf), "y_train": np.zeros(20) + 0.5}, "holds NaN or Inf in 8 of 8"),
        ({"y_test": np.full(8, 1e300), "y_train": np.zeros(20) + 0.5}, "y holds NaN or Inf"),
        ({"x_test": np.zeros((0, 12, 12), np.uint8), "y_test": np.zeros(0, int)}, "empty"),
        ({"x_test": np.full((8, 12), np.nan), "x_train": np.zeros((20, 12))}, "NaN or Inf in 8 of 8"),
        ({"x_test": np.full((8, 12), "a"), "x_train": np.full((20, 12), "a")}, "no numbers"),
        ({"x_test": np.zeros((8, 10, 10), np.uint8)}, "give both the same"),
        ({"x_test": np.zeros((8, 12, 12), np.float32)}, "give both the same"),
        ({"x_train__a": np.zeros((20, 2))}, "x_train and x_train/…"),
        ({"x_train": None, "x_train__a": np.zeros((20, 2))}, "a is float64 .2,. in the training split"),
        ({"y_train__a": np.zeros(20)}, "several outputs cannot be learnt yet"),
        ({"labels": np.array(["a", "b"])}, "2 different labels for 4 classes"),
        ({"labels": np.array(["a", "b", "c", "c"])}, "3 different labels for 4 classes"),
        ({"labels": np.arange(4)}, "give one text a class"),
    ],
)  # fmt: skip
def test_bad_arrays_are_refused_with_the_mend(save, changes, message):
    with pytest.raises(DatasetError, match=message):
        load_dataset(save(**changes))


def test_pickled_objects_are_never_loaded(tmp_path):
    np.savez(tmp_path / "data.npz", **arrays(), extra=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DatasetError, match=r"no readable \.npz"):
        load_dataset(str(tmp_path / "data.npz"))


def test_a_lone_array_is_no_data_set(tmp_path):
    with (tmp_path / "data.npz").open("wb") as stream:
        np.save(stream, np.zeros(3))
    with pytest.raises(DatasetError, match="holds a single array"):
        load_dataset(str(tmp_path / "data.npz"))


def test_what_unpacks_to_too_much_is_refused_unread(save, monkeypatch):
    monkeypatch.setattr(npz, "MEMORY_LIMIT", 2000)
    with pytest.raises(DatasetError, match="more than 2,000"):
        load_dataset(save())


def test_a_damaged_packed_member_is_refused(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 9, (500, 9)).astype(np.uint8)
    np.savez_compressed(tmp_path / "data.npz", x_test=pixels)
    content = bytearray((tmp_path / "data.npz").read_bytes())
    content[300:400] = bytes(range(100, 200))
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(DatasetError, match=r"no readable \.npz"):
        load_dataset(str(tmp_path / "data.npz"))


def test_a_header_that_promises_too_much_is_refused(tmp_path):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (9000000000000, 1000), }"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header) + 1) + header + b"\n"
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        archive.writestr("x_test.npy", content)
    with pytest.raises(DatasetError, match=r"no readable \.npz"):
        load_dataset(str(tmp_path / "data.npz"))
