"""A converter that crashes or hangs fails its own format, and no other."""

import json

import keras
import numpy as np
import pytest

LAYER = """
import os, signal, sys, time
import keras

{at_once}

@keras.saving.register_keras_serializable("tests")
class Touchy(keras.layers.Layer):
    def call(self, x):
        if "tf2onnx" in sys.modules:
            print("the last words of this process", flush=True)
            {deed}
        return x * 1.0
"""


@pytest.fixture
def export(keraport, tmp_path):
    """Export a model whose own layer does something where tf2onnx is at work."""

    def run(deed="pass", at_once="", *arguments):
        code = LAYER.format(deed=deed, at_once=at_once)
        harmless = {}
        exec(LAYER.format(deed="pass", at_once=""), harmless)  # noqa: S102  (the text above)
        x = np.random.default_rng(0).normal(size=(3000, 4)).astype(np.float32)
        model = keras.Sequential([keras.Input((4,)), harmless["Touchy"](), keras.layers.Dense(3)])
        model.save(tmp_path / "own.keras")
        np.savez(tmp_path / "own.npz", x_test=x)
        (tmp_path / "own.py").write_text(code)
        return keraport(
            *("export", tmp_path / "own.keras", "--data", tmp_path / "own.npz"),
            *("--custom", tmp_path / "own.py", "--trust", "--repository", tmp_path / "models"),
            *arguments,
        )

    return run


def test_a_crash_fails_its_format_and_the_others_go_on(export, tmp_path):
    result = export("os.kill(os.getpid(), signal.SIGSEGV)", "", "--formats", "onnx,tflite", "--json")
    assert result.returncode == 1, result.stderr
    artifacts = {each["format"]: each for each in json.loads(result.stdout)["artifacts"]}
    assert artifacts["tflite"]["verdict"] == "pass"
    assert artifacts["onnx"]["verdict"] == "fail"
    assert "SIGSEGV" in artifacts["onnx"]["reason"]
    assert "the last words of this process" in artifacts["onnx"]["log"]
    assert not (tmp_path / "models").exists()


@pytest.mark.slow
def test_a_hang_ends_at_the_time_limit_and_the_others_go_on(export):
    result = export("time.sleep(1000)", "", "--formats", "onnx,tflite", "--time-limit", 60, "--json")
    assert result.returncode == 1, result.stderr
    artifacts = {each["format"]: each for each in json.loads(result.stdout)["artifacts"]}
    assert artifacts["tflite"]["verdict"] == "pass"
    assert "within 60 s: raise --time-limit" in artifacts["onnx"]["reason"]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("print('farewell', flush=True); os.abort()", "its process crashed (SIGABRT)"),
        ("print('farewell', flush=True); raise MemoryError", "its process ran out of memory"),
    ],
)
def test_a_checkpoint_that_crashes_ends_the_export_with_the_end_of_its_log(export, tmp_path, code, told):
    result = export("pass", code)
    assert result.returncode == 70
    assert f"error: the checkpoint cannot be run: {told}" in result.stderr
    assert "farewell" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "models").exists()
