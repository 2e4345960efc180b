"""Array files become samples; what does not fit becomes one line."""

import ml_dtypes
import numpy as np
import pytest

from clients import arrays
from clients.arrays import load_samples
from clients.errors import InputError
from clients.results import TensorSpec
from export.manifest import DATATYPES

FEATURES = TensorSpec(name="features", datatype="FP32", shape=(-1, 4))


@pytest.mark.parametrize("shape", [(3, 28, 28, 1), (3, 28, 28), (28, 28, 1), (28, 28)])
def test_one_or_many_with_or_without_a_channel(tmp_path, grey, shape):
    array = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    np.save(tmp_path / "x.npy", array)
    samples = load_samples(tmp_path / "x.npy", grey)
    assert samples.shape[1:] == (28, 28, 1)
    np.testing.assert_array_equal(samples.ravel(), array.ravel())


@pytest.mark.parametrize(
    "content",
    [
        {"features": np.ones((2, 4)), "x_test": np.zeros((2, 4))},
        {"anything": np.ones((2, 4))},
        {"x_test": np.ones((2, 4)), "y_test": np.zeros(2)},
    ],
)
def test_the_array_of_an_archive(tmp_path, content):
    np.savez_compressed(tmp_path / "x.npz", **content)
    samples = load_samples(tmp_path / "x.npz", FEATURES)
    assert samples.dtype == np.float32
    assert samples.tolist() == [[1.0] * 4] * 2


def test_what_does_not_fit(tmp_path, grey, monkeypatch):
    path = tmp_path / "x.npy"
    monkeypatch.setattr(arrays, "MAX_SAMPLES", 5)
    for array, message in (
        (np.zeros((2, 27, 28), np.uint8), r"shape \[2, 27, 28\], the model takes \[-1, 28, 28, 1\]"),
        (np.zeros((2, 28, 28), np.float32), "holds float32, the model takes UINT8"),
        (np.zeros((2, 28, 28), np.int64), "holds int64, the model takes UINT8"),
        (np.zeros((0, 28, 28), np.uint8), "holds 0 samples: give 1 to 5"),
        (np.zeros((6, 28, 28), np.uint8), "holds 6 samples: give 1 to 5"),
        (np.array([{}], dtype=object), "without pickle"),
    ):
        np.save(path, array, allow_pickle=True)
        with pytest.raises(InputError, match=message):
            load_samples(path, grey)


@pytest.mark.parametrize(
    ("datatype", "array", "expected"),
    [
        ("FP16", np.float64([[0.5, 1e9]]), [[0.5, float("inf")]]),
        ("BF16", np.float32([[0.5, 1.001]]), [[0.5, 1.0]]),
        ("BF16", np.array([[0.5, -2.0]], ml_dtypes.bfloat16), [[0.5, -2.0]]),
        ("BF16", np.uint8([[1, 255]]), [[1.0, 255.0]]),
        ("BYTES", np.array([["ü", "ab"]]), [["ü", "ab"]]),
        ("BYTES", np.array([[b"\xff", b"ab"]]), [[b"\xff", b"ab"]]),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
def test_texts_and_narrow_floats(tmp_path, datatype, array, expected):
    np.save(tmp_path / "x.npy", array)
    samples = load_samples(tmp_path / "x.npy", TensorSpec(name="x", datatype=datatype, shape=(-1, 2)))
    assert samples.dtype == DATATYPES[datatype]
    assert samples.tolist() == expected


@pytest.mark.parametrize(
    ("datatype", "array", "message"),
    [
        ("BF16", np.int32([[1]]), "holds int32, the model takes BF16"),
        ("BYTES", np.float32([[1]]), "holds float32, the model takes BYTES"),
        ("FP32", np.array([["1"]]), "holds <U1, the model takes FP32"),
        ("FP32", np.array([[1]], ml_dtypes.bfloat16), r"holds \|V2, the model takes FP32"),
    ],
)
def test_texts_are_no_numbers(tmp_path, datatype, array, message):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(InputError, match=message):
        load_samples(tmp_path / "x.npy", TensorSpec(name="x", datatype=datatype, shape=(-1, 1)))


def test_what_is_no_array_file(tmp_path, grey):
    with pytest.raises(InputError, match="does not exist"):
        load_samples(tmp_path / "none.npy", grey)
    for content in (b"", b"text", b"\x93NUMPY", b"PK\x03\x04 broken"):
        (tmp_path / "x.npz").write_bytes(content)
        with pytest.raises(InputError, match="no array file"):
            load_samples(tmp_path / "x.npz", grey)


def test_archives_that_do_not_say_which_or_unpack_to_too_much(tmp_path, grey, monkeypatch):
    np.savez_compressed(tmp_path / "two.npz", a=np.zeros(1), b=np.zeros(1))
    with pytest.raises(InputError, match="holds a, b: name the array for the model 'image'"):
        load_samples(tmp_path / "two.npz", grey)
    monkeypatch.setattr(arrays, "MAX_BYTES", 1000)
    np.savez_compressed(tmp_path / "large.npz", image=np.zeros((9, 28, 28), np.uint8))
    with pytest.raises(InputError, match="image takes 7,184 bytes, over 1,000"):
        load_samples(tmp_path / "large.npz", grey)


@pytest.mark.filterwarnings("ignore")  # numpy warns of odd headers; the command line shows no warnings either
@pytest.mark.parametrize("kind", ["stored.npz", "packed.npz", "single.npy"])
def test_a_flipped_bit_anywhere_is_an_answer_or_one_line(tmp_path, kind):
    path = tmp_path / kind
    array = np.arange(8, dtype=np.float32).reshape(2, 4)
    with path.open("wb") as stream:
        if kind == "single.npy":
            np.save(stream, array)
        else:
            {"stored.npz": np.savez, "packed.npz": np.savez_compressed}[kind](stream, features=array)
    whole = path.read_bytes()
    refusals = []
    for position in range(len(whole)):
        for bit in (0, 3, 5, 7):
            content = bytearray(whole)
            content[position] ^= 1 << bit
            path.write_bytes(content)
            try:
                assert load_samples(path, FEATURES).shape[1:] == (4,)
            except InputError as error:
                refusals.append(str(error))
    assert len(refusals) > 100
    assert all(len(refusal.splitlines()) == 1 for refusal in refusals)


def test_a_damaged_archive_is_one_line_and_exit_2(keraport, digits_server, tmp_path, images):
    np.savez_compressed(tmp_path / "x.npz", image=images)
    content = bytearray((tmp_path / "x.npz").read_bytes())
    content[len(content) // 2] ^= 0xFF  # within the packed bytes, where zlib notices
    (tmp_path / "x.npz").write_bytes(content)
    result = keraport("predict", tmp_path / "x.npz", "--url", digits_server.url, timeout=60)
    assert (result.returncode, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
    assert "no array file that numpy reads" in result.stderr
