"""Data sets from `.npz` files."""

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from training import npz
from training.datasets import DataOptions, Target, Task, load_dataset
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


def test_values_of_several_dimensions_keep_their_shape(save):
    dataset = load_dataset(save(y_train=np.ones((20, 3, 2)) / 2, y_test=np.ones((8, 3, 2)) / 4))
    assert (dataset.task, dataset.test.y.shape) == (Task.REGRESSION, (8, 3, 2))


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64])
def test_a_matrix_of_0_and_1_is_multi_label(save, dtype):
    y = np.random.default_rng(0).integers(0, 2, (20, 3)).astype(dtype)
    dataset = load_dataset(save(y_train=y, y_test=y[:8], labels=np.array(["red", "round", "ripe"])))
    assert dataset.targets == {"y": Target(task=Task.MULTI_LABEL, labels=("red", "round", "ripe"))}
    assert dataset.test.y.dtype == np.uint8
    assert dataset.test.y.tolist() == y[:8].astype(int).tolist()
    with pytest.raises(DatasetError, match="2 different labels for 3 columns"):
        load_dataset(save(y_train=y, y_test=y[:8], labels=np.array(["red", "round"])))
    with pytest.raises(DatasetError, match="4 different labels for 3 columns"):
        load_dataset(save(y_train=y, y_test=y[:8], labels=np.array(["red", "round", "ripe", "raw"])))


def test_the_task_decides_what_0_and_1_mean(save):
    column = save(y_train=np.arange(20) % 2, y_test=np.arange(8) % 2)
    assert load_dataset(column).task is Task.CLASSIFICATION
    said = load_dataset(column, DataOptions(task=Task.MULTI_LABEL))
    assert (said.labels, said.test.y.tolist()) == (("0",), [[0], [1]] * 4)
    floats = save(y_train=np.eye(20)[:, :4], y_test=np.eye(8)[:, :4])
    assert load_dataset(floats, DataOptions(task=Task.MULTI_LABEL)).test.y.dtype == np.uint8
    assert load_dataset(floats, DataOptions(task=Task.REGRESSION)).test.y.dtype == np.float32
    with pytest.raises(DatasetError, match="0 to 3: give a row of 0 and 1 a sample"):
        load_dataset(save(), DataOptions(task=Task.MULTI_LABEL))


def test_several_outputs_have_a_task_each(save):
    tags = np.arange(60).reshape(20, 3) % 2
    dataset = load_dataset(
        save(
            y_train=None, y_train__kind=np.arange(20) % 4, y_train__age=np.ones(20) / 2, y_train__tags=tags,
            y_test=None, y_test__tags=tags[:8], y_test__kind=np.arange(8) % 2, y_test__age=np.ones(8) / 2,
            labels__kind=np.array(list("abcd")),
        )
    )  # fmt: skip
    assert dataset.targets == {
        "kind": Target(task=Task.CLASSIFICATION, labels=("a", "b", "c", "d")),
        "age": Target(task=Task.REGRESSION),
        "tags": Target(task=Task.MULTI_LABEL, labels=("0", "1", "2")),
    }
    assert list(dataset.test.targets) == list(dataset.targets)
    assert dataset.train.take(np.array([3, 1])).targets["age"].shape == (2, 1)
    for what in (lambda: dataset.task, lambda: dataset.labels, lambda: dataset.test.y):
        with pytest.raises(DatasetError, match=r"3 targets \(kind, age, tags\) where one is needed"):
            what()


@pytest.mark.parametrize("changes", [{}, {"x_train": None}])
def test_data_may_be_unlabelled(save, changes):
    dataset = load_dataset(save(y_train=None, y_test=None, **changes))
    assert (dataset.targets, dataset.test.targets, len(dataset.test)) == ({}, {}, 8)
    assert (dataset.train is None) == bool(changes)
    with pytest.raises(DatasetError, match="the data are unlabelled: add y_test"):
        _ = dataset.test.y


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
        ({"x_test": None, "x_test__a": np.zeros((8, 3)), "y_test": None}, "holds y_train but lacks y_test"),
        ({"x_test": np.zeros(()), "y_test": np.zeros(1, int)}, "the test split is empty"),
        ({"x_train": None}, "holds y_train but lacks x_train"),
        ({"y_train": None}, "holds y_test but lacks y_train"),
        ({"y_train": None, "y_train__a": np.zeros(20)}, "holds y_train/a but lacks y_test/a"),
        ({"y_train": None, "y_test": None, "labels": np.array(["a"])}, "labels of y without such targets"),
        ({"labels__a": np.array(["a", "b"])}, "labels of a without such targets"),
        ({"y_test": np.arange(7)}, "has shape"),
        ({"y_test": np.linspace(0, 1, 8)}, "one whole-number class index a sample"),
        ({"y_train": np.array(["a"] * 20)}, "or floats"),
        ({"y_train": np.arange(60).reshape(20, 3)}, "or floats"),
        ({"y_train": np.eye(20), "y_test": np.eye(20)[:8]}, r"0 and 1 as floats: .* \(y.argmax\(1\)\)"),
        ({"y_train": np.ones((20, 2), int)}, "y_test is int64 .8,., 0 to 3: give a row of 0 and 1 a sample"),
        ({"y_train": np.ones((20, 2), int), "y_test": np.ones((8, 3), bool)}, "y has rows of shape .2,."),
        ({"y_train": np.zeros((20, 2, 2), int)}, "or floats"),
        ({"y_test": -np.ones(8, int)}, "number them from 0"),
        ({"y_train": np.arange(20) * 10_000}, "number them from 0, at most 100,000"),
        ({"y_test": np.full(8, np.inf), "y_train": np.zeros(20) + 0.5}, "holds NaN or Inf in 8 of 8"),
        ({"y_test": np.full(8, 1e300), "y_train": np.zeros(20) + 0.5}, "y holds NaN or Inf in 8"),
        ({"x_test": np.zeros((0, 12, 12), np.uint8), "y_test": np.zeros(0, int)}, "empty"),
        ({"x_test": np.full((8, 12), np.nan), "x_train": np.zeros((20, 12))}, "NaN or Inf in 8 of 8"),
        ({"x_test": np.full((8, 12), "a"), "x_train": np.full((20, 12), "a")}, "no numbers"),
        ({"x_test": np.zeros((8, 10, 10), np.uint8)}, "give both the same"),
        ({"x_test": np.zeros((8, 12, 12), np.float32)}, "give both the same"),
        ({"x_train__a": np.zeros((20, 2))}, "x_train and x_train/…"),
        ({"x_train": None, "x_train__a": np.zeros((20, 2))}, "x is missing in the training split"),
        ({"y_train__a": np.zeros(20)}, "holds y_train and y_train/…: name every one, or give only one"),
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


def test_a_member_that_is_no_array_is_refused(save):
    path = save()
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("read\x1bme.txt", "hello")
    with pytest.raises(DatasetError, match=r"holds read\\x1bme.txt, which is no array"):
        load_dataset(path)
