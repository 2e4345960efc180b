"""The named data sets, and which source is read how."""

import gzip
import hashlib
import json
import re
import shutil
from dataclasses import asdict

import msgspec
import numpy as np
import pytest

from training import named
from training.datasets import DataOptions, Task, load_dataset
from training.errors import DatasetError


def test_mnist_holds_the_published_images():
    mnist = load_dataset("mnist")
    # MD5 sums as Keras users know them (data/README.md), over the arrays without a channel dimension.
    assert hashlib.md5(mnist.train.inputs["x"].tobytes()).hexdigest() == "6510e85a72c3e9475c492d559d3770d2"  # noqa: S324
    assert hashlib.md5(mnist.test.inputs["x"].tobytes()).hexdigest() == "240610fa99e73bfa49df8e7fc24d3206"  # noqa: S324
    assert mnist.train.inputs["x"].shape == (60000, 28, 28, 1)
    assert mnist.test.y[:5].tolist() == [7, 2, 1, 0, 4]
    assert mnist.labels == tuple("0123456789")
    assert list(mnist.splits) == ["train", "test"]


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


def test_fashion_mnist_comes_from_keras_with_its_class_names(keraport, tmp_path, monkeypatch):
    folder = tmp_path / "datasets" / "fashion-mnist"
    folder.mkdir(parents=True)
    labels = bytes(range(10)) * 3
    images = np.random.default_rng(0).integers(0, 256, 30 * 784).astype(np.uint8).tobytes()
    for split in ("train", "t10k"):
        with gzip.open(folder / f"{split}-images-idx3-ubyte.gz", "wb") as stream:
            stream.write(np.array([0x803, 30, 28, 28], ">u4").tobytes() + images)
        with gzip.open(folder / f"{split}-labels-idx1-ubyte.gz", "wb") as stream:
            stream.write(np.array([0x801, 30], ">u4").tobytes() + labels)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    result = keraport("data", "show", "fashion_mnist", "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    shown = json.loads(result.stdout)
    labels = shown["targets"]["y"]["labels"]
    assert (shown["source"], labels[0], labels[9]) == ("fashion_mnist", "T-shirt/top", "Ankle boot")
    assert shown["sha256"] == load_dataset(str(folder)).sha256


def test_fashion_mnist_without_a_network_says_what_to_give_instead(keraport, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    result = keraport("data", "show", "fashion_mnist", "--json", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1].startswith("error: Keras cannot download fashion_mnist")
    assert "give a folder of its four IDX files or an .npz file" in result.stderr


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("cifar", "give mnist, fashion_mnist, an .npz file, a folder of IDX files, or a folder of images"),
        ("missing.npz", "there is no file missing.npz"),
    ],
)
def test_an_unknown_source_says_what_to_do(source, message):
    with pytest.raises(DatasetError, match=re.escape(message)):
        load_dataset(source)


@pytest.mark.parametrize("options", [{"image_size": (8, 8)}, {"grey": False}, {"test_share": 0.3}])
def test_options_for_folders_are_refused_elsewhere(options):
    with pytest.raises(DatasetError, match="mnist is no folder of images"):
        load_dataset("mnist", DataOptions(**options))


@pytest.mark.parametrize(
    "options", [{"image_size": (0, 8)}, {"image_size": (8, 9000)}, {"test_share": 0.0}, {"test_share": 1.0}]
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(DatasetError, match=r"1 to 8192 pixels|between 0 and 1"):
        DataOptions(**options)


def test_options_survive_a_run_record():
    options = DataOptions(image_size=(32, 48), grey=True, test_share=0.3, task=Task.REGRESSION)
    assert msgspec.json.decode(msgspec.json.encode(options), type=DataOptions) == options
    assert asdict(msgspec.json.decode(b"{}", type=DataOptions)) == asdict(DataOptions())
