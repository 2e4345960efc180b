"""A version names what it was made from, and is that."""

import json
import shutil
import threading
import time

import keras
import numpy as np
import pytest

from export.manifest import content_sha256, read_manifest


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """`own.keras`, `other.keras` of the same shape, and data."""
    folder = tmp_path_factory.mktemp("small")
    for seed, name in enumerate(("own", "other")):
        keras.utils.set_random_seed(seed)
        model = keras.Sequential(
            [
                keras.Input((4,)),
                keras.layers.Dense(8, "relu", name="hidden"),
                keras.layers.Dense(3, name="out"),
            ]
        )
        model.save(folder / f"{name}.keras")
    x = np.random.default_rng(0).normal(size=(4000, 4)).astype(np.float32)
    np.savez(folder / "own.npz", x_train=x[:1000], x_test=x[1000:])
    return folder


def export(keraport, folder, models, *arguments):
    return keraport(
        *("export", folder / "own.keras", "--data", folder / "own.npz", "--repository", models), *arguments
    )


def test_a_checkpoint_that_is_replaced_meanwhile_is_not_mixed_with_itself(keraport, small, tmp_path):
    shutil.copytree(small, tmp_path / "work")
    before = content_sha256(tmp_path / "work" / "own.keras")
    started = threading.Event()

    def replace():
        while not list(tmp_path.glob("models/own/.staging-*/.scratch/worker-*.log")):
            time.sleep(0.01)
        shutil.copy(small / "other.keras", tmp_path / "work" / "own.keras")
        started.set()

    thread = threading.Thread(target=replace)
    thread.start()
    result = export(keraport, tmp_path / "work", tmp_path / "models", "--formats", "onnx")
    thread.join()
    assert started.is_set()
    assert result.returncode == 0, result.stderr
    version = tmp_path / "models" / "own" / "1"
    assert read_manifest(version).source.checkpoint_sha256 == before
    check = ["parity", version, "--data", small / "own.npz", "--reference"]
    assert keraport(*check, small / "own.keras").returncode == 0
    assert keraport(*check, small / "other.keras").returncode == 1


def test_the_manifest_says_how_a_version_was_quantized(keraport, small, tmp_path):
    result = export(
        keraport, small, tmp_path, "--formats", "onnx,tflite-int8", "--keep-float", "hidden", "--json"
    )
    assert result.returncode in (0, 1, 3), result.stderr
    conversion = json.loads(result.stdout)["manifest"]["conversion"]
    assert conversion["keep_float"] == ["hidden"]
    assert conversion["quantizer"] == "tensorflow"
    assert conversion["calibration"]["samples"] == 500
    shown = keraport("inspect", tmp_path / "own" / "1").stdout
    assert "in floats: hidden" in " ".join(shown.split())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--keep-float", "hiden", "--formats", "tflite-int8"], "the model has no layer 'hiden', but hidden"),
        (["--keep-float", "hidden", "--formats", "onnx"], "no format has less than single precision"),
        (["--quantizer", "nope"], "no quantizer 'nope'"),
        (["--trust"], "goes with --custom"),
        (["--report", "{own}"], "is no report and would be lost"),
    ],
)
def test_options_that_would_do_nothing_or_harm_are_refused(keraport, small, tmp_path, arguments, told):
    filled = [each.format(own=small / "own.keras") for each in arguments]
    result = export(keraport, small, tmp_path / "models", *filled)
    assert result.returncode == 2
    assert told in result.stderr
    assert not (tmp_path / "models").exists()


def test_a_changed_file_of_a_version_is_not_checked_as_the_versions(
    keraport, published, run_directory, tmp_path
):
    shutil.copytree(published, tmp_path / "1")
    (tmp_path / "1" / "model.onnx").write_bytes((tmp_path / "1" / "model.onnx").read_bytes() + b"\0")
    result = keraport("parity", tmp_path / "1" / "model.onnx", "--reference", run_directory)
    assert result.returncode == 2
    assert "was changed after it was published" in result.stderr


def test_nothing_is_left_in_the_temporary_folder(keraport, small, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    assert export(keraport, small, tmp_path / "models", "--formats", "onnx").returncode == 0
    check = ["parity", tmp_path / "models", "--reference", small / "own.keras", "--data", small / "own.npz"]
    assert keraport(*check).returncode == 0
    assert list((tmp_path / "temporary").iterdir()) == []
