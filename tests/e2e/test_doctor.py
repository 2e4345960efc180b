"""`keraport doctor`: the machine, the packages, a small model through every stage."""

import contextlib
import json

import pytest

from export.doctor.finding import State
from export.doctor.stages import Walk
from export.formats import Format


@pytest.fixture
def walk(tmp_path):
    def walk(extras):
        folder = tmp_path / "walk"
        folder.mkdir()
        way = Walk(folder=folder, extras=extras, time_limit_s=300, telling=lambda _: contextlib.nullcontext())
        return {finding.check: finding for finding in way.run()}

    return walk


def states(findings):
    return {check: finding.state for check, finding in findings.items()}


def test_the_machine_and_the_packages(keraport, tmp_path):
    result = keraport("doctor", "--quick", "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stdout
    document = json.loads(result.stdout)
    found = {finding["check"]: finding for finding in document["findings"]}
    assert document["healthy"] is True
    assert {f"extra {name}" for name in ("train", "export", "edge", "serve", "client", "http")} <= set(found)
    assert {"Python", "CPU", "cores", "memory", "disk", "port 8001", "./runs", "./models"} <= set(found)
    assert "keras 3." in found["extra train"]["detail"]
    assert list(tmp_path.iterdir()) == []


def test_a_machine_that_only_serves(walk):
    findings = walk({"serve", "client"})
    assert states(findings) == {
        "train": State.MISSING,
        "export": State.MISSING,
        "parity": State.MISSING,
        "edge kit": State.MISSING,
        "serve": State.OK,
        "predict": State.OK,
        "parity of the server": State.OK,
    }
    assert findings["train"].mend == "pip install 'keraport[train]'"
    assert findings["predict"].detail == "20 of 20 classes right"
    assert "made by hand" in findings["serve"].detail


def test_a_machine_with_nothing_but_the_client(walk):
    findings = walk({"client"})
    assert findings["serve"].mend == "pip install 'keraport[serve]'"
    assert findings["predict"].state is State.SKIPPED
    assert findings["predict"].detail == "there is no server"
    assert State.BROKEN not in states(findings).values()


def test_a_broken_stage_is_named_and_those_after_it_still_run(walk, tmp_path, monkeypatch):
    """TensorFlow that cannot be imported: training breaks, serving goes on."""
    (tmp_path / "broken" / "tensorflow").mkdir(parents=True)
    (tmp_path / "broken" / "tensorflow" / "__init__.py").write_text("raise ImportError('libtf.so is gone')")
    monkeypatch.syspath_prepend(str(tmp_path / "broken"))
    findings = walk({"train", "export", "serve", "client"})
    assert findings["train"].state is State.BROKEN
    assert findings["train"].log
    assert findings["train"].seconds > 0
    assert findings["export"].state is State.SKIPPED
    assert findings["parity"].state is State.SKIPPED
    assert findings["serve"].state is State.OK
    assert findings["predict"].state is State.OK


@pytest.mark.slow
def test_every_stage_and_format(keraport, tmp_path):
    result = keraport("doctor", "--json", cwd=tmp_path, timeout=900)
    document = json.loads(result.stdout)
    found = {finding["check"]: finding for finding in document["findings"]}
    broken = {check: each["detail"] for check, each in found.items() if each["state"] == "broken"}
    assert (broken, result.returncode) == ({}, 0)
    for stage in ("train", "export", "parity", "edge kit", "serve", "predict", "parity of the server"):
        assert (found[stage]["state"], found[stage]["seconds"] > 0) == ("ok", True)
    assert found["edge kit"]["detail"].startswith("runs on this machine")
    assert found["export"]["detail"] == f"{len(Format)} of {len(Format)} formats"
    assert list(tmp_path.iterdir()) == []
