"""What is refused and warned of before training."""

import dataclasses
import time

import numpy as np
import pytest

from training.checks import check_dataset, shared_samples
from training.datasets import Dataset, Samples, Target, Task, load_dataset
from training.errors import DatasetError


def noise(count, *, seed):
    return np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)


def classes_named(names):
    return Target(task=Task.CLASSIFICATION, labels=tuple(names))


def made(classes=4, **changes):
    """A faultless data set, but for the changes."""
    dataset = Dataset(
        source="made",
        sha256="0" * 64,
        targets={"y": classes_named("abcdefghij"[:classes])},
        train=Samples(inputs={"x": noise(100, seed=1)}, targets={"y": np.arange(100) % classes}),
        test=Samples(inputs={"x": noise(100, seed=2)}, targets={"y": np.arange(100) % classes}),
    )
    return dataclasses.replace(dataset, **changes)


def samples(x, y):
    return Samples(inputs={"x": x}, targets={"y": y})


def test_good_data_raise_no_warning():
    assert check_dataset(made()) == ()


def test_mnist_is_checked_within_a_second_and_unchanged():
    mnist = load_dataset("mnist")
    before = mnist.train.inputs["x"].copy()
    started = time.process_time()
    assert check_dataset(mnist) == ()
    assert time.process_time() - started < 1
    assert np.array_equal(mnist.train.inputs["x"], before)


def spoilt(value):
    x = noise(100, seed=2)
    x[3, 1] = x[7, 2] = value
    return x


BALANCED = np.arange(100) % 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": samples(noise(100, seed=1).astype(np.longdouble), BALANCED)}, "no model takes"),
        ({"test": samples(spoilt(np.nan), BALANCED)}, "test split: x holds NaN or Inf in 2 of 100 samples"),
        ({"train": samples(spoilt(-np.inf), BALANCED)}, "the training split: x holds NaN or Inf"),
        ({"train": samples(noise(100, seed=1), BALANCED - 1)}, "labels -1 to 2 for 4 classes"),
        ({"test": samples(noise(100, seed=1), BALANCED + 1)}, "labels 1 to 4 for 4 classes"),
        ({"test": samples(noise(0, seed=1), BALANCED[:0])}, "the test split is empty"),
        ({"test": samples(noise(99, seed=1), BALANCED)}, r"y has shape \(100,\) for 99 samples of x"),
        ({"test": samples(noise(100, seed=1)[:, :3], BALANCED)}, "give both the same"),
        ({"test": samples(noise(100, seed=1).astype(float), BALANCED)}, "float64 .4,. in the test split"),
        ({"test": Samples(inputs={"z": noise(100, seed=1)}, targets={"y": BALANCED})}, "missing in the test"),
        ({"train": samples(noise(100, seed=1), np.minimum(BALANCED, 2))}, "than 2 training samples of d"),
        ({"train": samples(noise(4, seed=1), BALANCED[:4])}, "fewer than 2 training samples of a, b, c, d"),
        ({"targets": {"y": classes_named("abcdefghijkl")}}, "samples of e, f, g, h, i and 3 more"),
    ],
)  # fmt: skip
def test_what_cannot_train_is_refused(changes, message):
    with pytest.raises(DatasetError, match=message):
        check_dataset(made(**changes))


def test_a_single_class_is_refused():
    with pytest.raises(DatasetError, match="single class"):
        check_dataset(made(classes=1))


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"train": None}, "there is no training split: the data can check a model, not train one"),
        (
            {"test": samples(noise(100, seed=2), BALANCED % 2)},
            "the test split has no sample of c, d: their accuracy stays unknown",
        ),
        (
            {"test": samples(noise(99, seed=2), BALANCED[:99])},
            "the test split has 99 samples, too few to measure a model well: 100 are a start",
        ),
        (
            {"train": samples(noise(76, seed=1), BALANCED[:76])},
            "there are fewer than 20 training samples of a, b, c, d",
        ),
        (
            {"train": samples(noise(260, seed=1), np.repeat([0, 1, 2, 3], [200, 20, 20, 20]))},
            "the classes are uneven: 200 training samples of a, 20 of b",
        ),
        (
            {"test": samples(np.concatenate([noise(3, seed=1), noise(97, seed=2)]), BALANCED)},
            "3 of 100 test samples are also in the training split: the test results will look better than "
            "they are",
        ),
    ],
)
def test_what_misleads_is_warned_of(changes, warning):
    assert check_dataset(made(**changes)) == (warning,)


def test_samples_are_the_same_only_if_all_inputs_are():
    left, right = np.arange(6).reshape(3, 2), np.arange(3.0)
    train = Samples(inputs={"left": left, "right": right}, targets={"y": np.zeros(3, int)})
    test = Samples(
        inputs={"right": right[[0, 2, 1]], "left": left[[0, 1, 1]]}, targets={"y": np.ones(3, int)}
    )
    assert shared_samples(train, test) == 2


@pytest.mark.parametrize("y", [np.zeros((100, 1), np.float32), np.full((100, 2), 3, np.float32)])
def test_regression_needs_targets_that_differ(y):
    split = samples(noise(100, seed=1), y)
    with pytest.raises(DatasetError, match="all training targets are equal"):
        check_dataset(made(targets={"y": Target(task=Task.REGRESSION)}, train=split, test=split))


def test_regression_has_no_classes_to_check():
    train, test = (samples(noise(100, seed=seed), noise(100, seed=seed + 2)) for seed in (1, 2))
    assert check_dataset(made(targets={"y": Target(task=Task.REGRESSION)}, train=train, test=test)) == ()


def tagged(rows, *, names="ab", train=None):
    """A multi-label data set whose test rows repeat to a hundred."""
    y = np.resize(np.array(rows, np.uint8), (100, len(names)))
    return made(
        targets={"y": Target(task=Task.MULTI_LABEL, labels=tuple(names))},
        train=samples(noise(100, seed=1), y if train is None else train),
        test=samples(noise(100, seed=2), y),
    )


@pytest.mark.parametrize(
    ("dataset", "warnings"),
    [
        (tagged([[0, 1], [1, 1], [0, 0]]), ()),
        (tagged([[0, 1], [0, 0]]), ("the test split has no sample of a: their accuracy stays unknown",)),
        (
            tagged([[0, 1], [1, 0]]),
            ("every test sample has exactly one label: if y is one-hot, give class indices (y.argmax(1))",),
        ),
    ],
)
def test_labels_that_mislead_are_warned_of(dataset, warnings):
    assert check_dataset(dataset) == warnings


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (
            tagged([[0, 2]]),
            "y has rows of shape .2,., 0 to 2, for 2 labels: give a column of 0 and 1 a label",
        ),
        (tagged([[0, 1]], train=np.ones((100, 3), np.uint8)), "y has rows of shape .3,., 1 to 1, for 2"),
    ],
)
def test_labels_are_columns_of_0_and_1(dataset, message):
    with pytest.raises(DatasetError, match=message):
        check_dataset(dataset)


def test_each_of_several_targets_is_checked():
    targets = {"kind": BALANCED, "age": noise(100, seed=3)}
    kinds = {"kind": classes_named("abcd"), "age": Target(task=Task.REGRESSION)}
    train, test = (Samples(inputs={"x": noise(100, seed=seed)}, targets=targets) for seed in (1, 2))
    good = made(targets=kinds, train=train, test=test)
    assert check_dataset(good) == ()
    for changed, message in (
        ({"kind": BALANCED, "age": spoilt(np.nan)}, "y/age holds NaN or Inf in 2 of 100"),
        ({"kind": BALANCED, "age": noise(99, seed=3)}, r"y/age has shape \(99, 4\) for 100 samples of x"),
        ({"kind": BALANCED + 1, "age": noise(100, seed=3)}, "kind has labels 1 to 4 for 4 classes"),
        (
            {"kind": BALANCED, "age": noise(100, seed=3)[:, :2]},
            "y/age is float32 .4,. in the training split, float32 .2,. in the test",
        ),
    ):
        spoiled = Samples(inputs=test.inputs, targets=changed)
        with pytest.raises(DatasetError, match=message):
            check_dataset(dataclasses.replace(good, test=spoiled))


def test_unlabelled_data_are_warned_of():
    (warning,) = check_dataset(
        made(
            targets={},
            train=Samples(inputs={"x": noise(100, seed=1)}, targets={}),
            test=Samples(inputs={"x": noise(100, seed=2)}, targets={}),
        )
    )
    assert warning.startswith("the data are unlabelled")
