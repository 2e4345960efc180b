"""The doctor's single checks, on set-ups that are made to be bad."""

import base64
import importlib.metadata
import io
import re
import socket
import tomllib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from export.console import make_console
from export.doctor import machine as doctor_machine
from export.doctor import packages as doctor_packages
from export.doctor.examination import Diagnosis
from export.doctor.finding import Finding, State
from export.doctor.machine import examine_machine
from export.doctor.packages import allows, examine_packages, import_modules, installed_extras
from export.doctor.sample import QUADRANTS, draw_pictures
from export.doctor.tables import print_diagnosis

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def by_check(findings):
    return {finding.check: finding for finding in findings}


def test_the_packages_of_each_extra_are_those_of_the_project():
    for extra, packages in doctor_packages.EXTRAS.items():
        required = {
            re.match(r"[a-z0-9-]+", text)[0].removesuffix("-cpu")
            for text in PROJECT["optional-dependencies"][extra]
            if not text.startswith("keraport")
        }
        assert set(packages) == required


def test_the_pythons_are_those_of_the_project():
    first, below = (
        ".".join(map(str, each)) for each in (doctor_machine.FIRST_PYTHON, doctor_machine.BELOW_PYTHON)
    )
    assert PROJECT["requires-python"] == f">={first},<{below}"


@pytest.mark.parametrize(
    ("specifier", "version", "meets"),
    [
        (">=3.15,<4", "3.15.1", True),
        (">=3.15,<4", "3.9", False),
        (">=3.15,<4", "4.0.0", False),
        (">=6.31.1,<7", "6.31.1", True),
        (">=6.31.1,<7", "6.31", False),
        (">=11", "11.0.0", True),
        (">=2.21,<2.22", "2.21.0rc1", True),
        ("==1.75.0", "1.75", True),
        ("", "0.1", True),
    ],
)
def test_versions_that_meet_a_requirement(specifier, version, meets):
    assert allows(specifier, version) is meets


def test_imports_that_fail_crash_or_hang_are_told_apart(tmp_path, monkeypatch):
    (tmp_path / "fine_one.py").write_text("print('noise')")
    (tmp_path / "failing.py").write_text("raise RuntimeError('no\\nlibrary')")
    (tmp_path / "leaving.py").write_text("import sys; sys.exit(3)")
    (tmp_path / "crashing.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    (tmp_path / "hanging.py").write_text("import time; time.sleep(60)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert import_modules(["fine_one", "failing", "crashing", "leaving", "json"]) == {
        "fine_one": "",
        "failing": "RuntimeError: no",
        "crashing": "its import ends the process (SIGILL)",
        "leaving": "SystemExit: 3",
        "json": "",
    }
    assert import_modules(["hanging"], time_limit_s=0.5) == {"hanging": "its import does not end"}
    assert import_modules([]) == {}


def test_a_missing_an_old_and_a_broken_package(tmp_path, monkeypatch):
    (tmp_path / "shattered.py").write_text("raise ImportError('libshattered.so: cannot open')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(
        doctor_packages,
        "EXTRAS",
        {
            "train": {"no-such-package": "nothing"},
            "serve": {"numpy": "numpy"},
            "client": {"rich": "shattered"},
        },
    )
    known = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.9" if name == "numpy" else known(name))
    findings = by_check(examine_packages())
    missing = findings["extra train"]
    assert (missing.state, missing.mend) == (State.MISSING, "pip install 'keraport[train]'")
    old = findings["extra serve"]
    assert old.state is State.BROKEN
    assert "numpy: version 1.9, keraport needs" in old.detail
    broken = findings["extra client"]
    assert (broken.state, "libshattered.so" in broken.detail) == (State.BROKEN, True)
    assert "pip install" in broken.mend
    assert installed_extras() == {"serve", "client"}


def test_an_extra_without_the_one_that_it_brings_is_not_installed(monkeypatch):
    monkeypatch.setattr(
        doctor_packages, "EXTRAS", {"train": {"no-such-package": "x"}, "export": {"numpy": "numpy"}}
    )
    assert installed_extras() == set()


def test_a_port_that_is_taken_is_a_warning(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(doctor_machine, "PORTS", (port,))
        finding = by_check(examine_machine(set()))[f"port {port}"]
    assert finding.state is State.WARNING
    assert "another port" in finding.mend


def test_folders_memory_and_cpu(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").write_text("a file where the folder should be")
    monkeypatch.setattr(doctor_machine, "ENOUGH_MEMORY", 1 << 60)
    monkeypatch.setattr(doctor_machine.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(doctor_machine, "_cpu_flags", lambda: {"sse4_2"})
    findings = by_check(examine_machine({"train"}))
    assert findings["./runs"].state is State.WARNING
    assert findings["./models"].state is State.OK
    assert not (tmp_path / "models").exists()
    assert findings["memory"].state in (State.WARNING, State.SKIPPED)
    assert findings["CPU"].state is State.BROKEN
    assert "no AVX" in findings["CPU"].detail
    assert by_check(examine_machine({"serve"}))["CPU"].state is State.OK


def test_what_people_see():
    findings = (
        Finding(check="serve", state=State.OK, detail="well", seconds=1.25),
        Finding(check="extra http", state=State.MISSING, detail="lacks uvicorn", mend="pip install it"),
        Finding(check="train", state=State.BROKEN, detail="no\x1b[2J libtf", log="first\nlast"),
    )

    def shown(diagnosis, *, logs=False):
        stream = io.StringIO()
        print_diagnosis(make_console(stream), diagnosis, logs=logs)
        return stream.getvalue()

    text = shown(Diagnosis(healthy=False, findings=findings))
    assert "lacks uvicorn: pip install it" in text
    assert "1 of 3 checks are broken (--debug shows their logs); 1 not installed" in text
    assert "\x1b" not in text
    assert "last" not in text
    assert "  first\n  last" in shown(Diagnosis(healthy=False, findings=findings), logs=True)
    assert "what is installed works; 1 not installed" in shown(Diagnosis(healthy=True, findings=findings[:2]))


def test_the_model_made_by_hand_tells_quadrants_apart():
    content = base64.b64decode(QUADRANTS)
    onnx.checker.check_model(onnx.load_from_string(content))
    pictures, classes = draw_pictures(40, 3)
    session = onnxruntime.InferenceSession(content)
    logits, probabilities = session.run(["logits", "probabilities"], {"image": pictures})
    halves = pictures.astype(np.float64).reshape(40, 2, 8, 2, 8).mean(axis=(2, 4)).reshape(40, 4)
    np.testing.assert_allclose(logits, halves, rtol=1e-5)
    np.testing.assert_array_equal(logits.argmax(axis=1), classes)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
