"""Who loads what: serving and clients never load TensorFlow, and `--help` loads nothing heavy."""

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import clients
import serving

ROOT = Path(__file__).resolve().parents[2]
TRAINING_STACK = {"tensorflow", "keras", "tf2onnx", "ai_edge_litert", "matplotlib"}


def loaded_by(code, *arguments):
    """The top-level modules that an interpreter of its own has loaded after running some code."""
    report = "import sys; sys.stderr.write('\\n'.join(sorted({name.split('.')[0] for name in sys.modules})))"
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return set(result.stderr.splitlines())


def modules_of(package):
    walked = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    return [package.__name__, *(module.name for module in walked)]


@pytest.mark.parametrize("package", [serving, clients])
def test_no_module_loads_the_training_stack(package):
    loaded = loaded_by(f"import {', '.join(modules_of(package))}")
    assert {"grpc", "numpy"} <= loaded
    assert not loaded & TRAINING_STACK


def test_clients_need_no_onnxruntime():
    assert "onnxruntime" not in loaded_by(f"import {', '.join(modules_of(clients))}")


def test_the_batcher_knows_neither_grpc_nor_onnxruntime():
    assert not loaded_by("import serving.batcher") & {"grpc", "google", "onnxruntime"}


def test_what_a_supervisor_needs_is_light():
    modules = ("cli", "repository.checked_settings", "workers.supervisor")
    loaded = loaded_by(f"import {', '.join(f'serving.{name}' for name in modules)}")
    assert "serving" in loaded
    assert not loaded & {"numpy", "grpc", "google", "onnxruntime", "onnx"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["models", "list", "--help"],
        *([command, "--help"] for command in ("serve", "predict", "inspect", "parity", "doctor")),
    ],
)
def test_help_is_light(arguments):
    code = "import keraport\ntry:\n    keraport.main()\nexcept SystemExit:\n    pass"
    loaded = loaded_by(code, *arguments)
    assert "typer" in loaded
    assert not loaded & (TRAINING_STACK | {"onnx", "onnxruntime", "grpc", "google", "numpy", "PIL"})
