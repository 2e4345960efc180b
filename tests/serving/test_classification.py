"""The highest classes of each row, in Triton's form."""

import ml_dtypes
import numpy as np
import pytest

from serving.classification import MAX_CLASSES, classify
from serving.errors import InvalidTensor

LABELS = ("apple", "pear", "fig", "plum")


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (np.float32, ["10.000000:2:fig", "5.000000:1:pear"]),
        (np.float64, ["10.000000:2:fig", "5.000000:1:pear"]),
        (np.float16, ["10.000000:2:fig", "5.000000:1:pear"]),
        (ml_dtypes.bfloat16, ["10.000000:2:fig", "5.000000:1:pear"]),
        (np.uint8, ["10:2:fig", "5:1:pear"]),
        (np.int64, ["10:2:fig", "5:1:pear"]),
    ],
)
def test_the_example_of_tritons_document(dtype, expected):
    assert classify(np.array([[1, 5, 10, 4]], dtype), 2, LABELS).tolist() == [expected]


@pytest.mark.parametrize(
    ("array", "k", "expected"),
    [
        (np.float32([[2, 3, 2, 3, 2]]), 4, [["3.000000:1", "3.000000:3", "2.000000:0", "2.000000:2"]]),
        (
            np.float32([[np.nan, -np.inf, np.nan, np.inf]]),
            9,
            [["inf:3", "-inf:1", "nan:0", "nan:2"]],
        ),
        (np.array([[0, 2**64 - 1, 2**64 - 2]], np.uint64), 1, [[f"{2**64 - 1}:1"]]),
        (np.array([[-(2**63), 0]], np.int64), 2, [["0:1", f"{-(2**63)}:0"]]),
        (np.float64([[1 / 3, 1e-9]]), 2, [["0.333333:0", "0.000000:1"]]),
        (np.int32([[[1, 2], [3, 4]], [[8, 7], [6, 5]]]), 2, [["4:3", "3:2"], ["8:0", "7:1"]]),
        (np.int32([7, 8]), 3, [["7:0"], ["8:0"]]),
        (np.zeros((2, 0), np.int32), 3, [[], []]),
    ],
)
def test_order_and_form(array, k, expected):
    classes = classify(array, k, ())
    assert classes.dtype == np.object_
    assert classes.tolist() == expected


def test_agrees_with_a_stable_sort_of_whole_rows():
    rng = np.random.default_rng(7)
    rows = rng.integers(0, 20, (50, 100)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.3] = np.nan
    for k in (1, 5, 70, 100):
        for row, classes in zip(rows, classify(rows, k, ()), strict=True):
            order = sorted(range(100), key=lambda i: (np.isnan(row[i]), -np.nan_to_num(row[i]), i))
            assert [int(text.split(":")[1]) for text in classes] == order[:k]


def test_labels_of_another_head_are_none_of_these():
    assert classify(np.int32([[1, 2, 3]]), 1, LABELS).tolist() == [["3:2"]]


def test_what_has_no_classes():
    for array in (np.array([["a", "b"]], np.object_), np.array([[True, False]])):
        with pytest.raises(InvalidTensor, match="it holds no numbers"):
            classify(array, 1, ())
    with pytest.raises(InvalidTensor, match="40000 of 2 rows are too many, expected at most 65536 in all"):
        classify(np.zeros((2, 50_000), np.float32), 40_000, ())
    assert classify(np.zeros((1, MAX_CLASSES), np.uint8), MAX_CLASSES, ()).shape == (1, MAX_CLASSES)
