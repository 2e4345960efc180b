"""What installing brings: the lock, the extras, the wheel."""

import platform
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
ON_LINUX_X86 = (sys.platform, platform.machine()) == ("linux", "x86_64")
TENSORFLOW = "tensorflow-cpu" if ON_LINUX_X86 else "tensorflow"


def closure(extra):
    """Names of all distributions that `keraport[extra]` brings on this machine."""
    seen, waiting = set(), [("keraport", extra)]
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        for text in metadata.requires(name) or []:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": wanted}):
                waiting.extend(
                    (canonicalize_name(requirement.name), part) for part in ("", *requirement.extras)
                )
    return {name for name, _ in seen}


@pytest.mark.parametrize("extra", ["", "serve", "client", "http"])
def test_serving_and_clients_bring_no_tensorflow(extra):
    assert not closure(extra) & {"tensorflow", "tensorflow-cpu", "keras", "tf2onnx", "ai-edge-litert", "onnx"}


@pytest.mark.parametrize(
    ("extra", "packages"),
    [
        ("train", {TENSORFLOW, "keras"}),
        ("tensorboard", {TENSORFLOW, "tensorboard"}),
        ("export", {TENSORFLOW, "tf2onnx", "onnxruntime", "ai-edge-litert"}),
        ("edge", {TENSORFLOW, "bakenn", "tflite", "ai-edge-litert"}),
        ("serve", {"grpcio", "onnxruntime", "grpcio-health-checking"}),
        ("client", {"grpcio", "pillow"}),
        ("all", {TENSORFLOW, "tf2onnx", "onnxruntime", "grpcio", "pillow"}),
        ("dev", {"pytest", "ruff", "mypy", "grpcio-tools", TENSORFLOW}),
    ],
)
def test_each_extra_brings_what_its_stage_needs(extra, packages):
    assert packages <= closure(extra)


@pytest.mark.parametrize("lock", ["requirements.lock", "tests/interop/requirements.lock"])
def test_every_pin_has_hashes_and_no_address(lock):
    text = (ROOT / lock).read_text()
    assert not re.search(r"://|--index|--find-links|--extra", text)
    pins = re.split(r"\n(?=\S)", text)
    pins = [pin for pin in pins if not pin.startswith("#")]
    assert len(pins) > 5
    assert all(re.match(r"[a-z0-9._-]+==\S+", pin) and "--hash=sha256:" in pin for pin in pins)


def test_the_lock_is_what_is_installed():
    pins = dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    for name in ("keras", "onnx", "onnxruntime", "grpcio", "protobuf", "typer", "numpy"):
        assert metadata.version(name) == pins[name]


def test_the_wheel_holds_the_four_stages_and_the_root_command_alone(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"training", "export", "serving", "clients", "keraport.py"}
    assert {"training/py.typed", "export/py.typed", "serving/py.typed", "clients/py.typed"} <= set(names)
    assert wheel.stat().st_size < 1_000_000
