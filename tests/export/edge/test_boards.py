"""The C without a runtime on processors that QEMU emulates."""

import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from export.edge.boards import BOARDS
from export.edge.device import inherited
from export.edge.difference import compare
from export.verdict import Verdict

FLASH = 40 * 1024
M3 = BOARDS[0]


def rows(text):
    """Processor, golden vectors, flash, RAM and instructions of the table that --verify prints."""
    found = re.findall(r"^(Cortex-M\d+|aarch64|armhf|wasm32) +\S+ +(.+)$", text, re.MULTILINE)
    return {cpu: re.split(r"  +", rest.strip()) for cpu, rest in found}


@pytest.mark.edge
def test_no_byte_differs_on_any_processor(keraport, published, tmp_path):
    out = tmp_path / "kit"
    result = keraport("edge", published, "--out", out, "--verify", cwd=published.parents[2])
    assert result.returncode == 0, result.stdout + result.stderr
    found = rows(result.stdout)
    assert found.keys() == {board.cpu for board in BOARDS}
    assert found.pop("wasm32") == ["0 bytes differ"]
    for cpu, (verdict, flash, ram, *instructions) in found.items():
        assert verdict == "0 bytes differ"
        assert int(flash.replace(",", "")) <= FLASH
        assert int(ram.replace(",", "")) <= 28 * 1024
        assert [int(count.replace(",", "")) > 1_000_000 for count in instructions] == [True] * cpu.startswith(
            "Cortex"
        )
    assert "no cycles" in result.stdout
    assert "| Cortex-M55 | 0 bytes differ |" in (out / "README.md").read_text()
    assert len(json.loads((out / "kit.json").read_text())["boards"]) == len(BOARDS)


@pytest.mark.skipif(bool(M3.missing()), reason="needs make tools-edge")
def test_a_device_needs_a_thousand_samples_to_inherit_the_verdict(keraport, published):
    result = keraport(
        "parity",
        published,
        "--device",
        "qemu:mps2-an385",
        "--samples",
        50,
        "--json",
        cwd=published.parents[2],
    )
    assert result.returncode == 3, result.stderr
    said = json.loads(result.stdout)
    assert (said["verdict"], said["difference"]["differing_bytes"]) == ("inconclusive", 0)
    assert said["difference"]["compared_bytes"] == 500


def test_this_machine_as_a_device_inherits_the_verdict(keraport, published, tmp_path):
    junit = tmp_path / "device.xml"
    result = keraport("parity", published, "--device", "host", "--junit", junit, cwd=published.parents[2])
    assert result.returncode == 0, result.stderr
    suite = ElementTree.parse(junit).getroot().find("testsuite")  # noqa: S314  (our own)
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "0", "0")
    assert suite.find("testcase").get("name") == "tflite-int8 on host"
    assert suite.find(".//property[@name='differing_bytes']").get("value") == "0"
    assert "parity: pass, 0 of 10,000 bytes differ on 1,000 samples; the int8 file: " in result.stdout


@pytest.mark.edge
@pytest.mark.parametrize("device", ["qemu:mps2-an385", "qemu:arm", "node"])
def test_an_emulated_device_inherits_the_verdict(keraport, published, device):
    result = keraport("parity", published, "--device", device, cwd=published.parents[2])
    assert result.returncode == 0, result.stderr
    assert "parity: pass, 0 of 10,000 bytes differ on 1,000 samples" in result.stdout


@pytest.mark.slow
def test_tensorflow_lite_micro_gets_a_verdict_by_all_test_samples(keraport, published):
    result = keraport("parity", published, "--device", "tflm", "--json", cwd=published.parents[2])
    assert result.returncode == 0, result.stderr
    said = json.loads(result.stdout)
    (artifact,) = said["artifacts"]
    assert (said["verdict"], artifact["format"]) == ("pass", "tflite-int8")
    assert artifact["comparison"]["samples"] == 10_000
    assert "by TensorFlow Lite Micro" in artifact["reason"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--samples", "5"), "--samples goes with a --device that runs the C"),
        (("--device", "tflm", "--samples", "5"), "--samples goes with a --device that runs the C"),
        (("--device", "toaster"), "no device 'toaster': choose from host, qemu:mps2-an385"),
        (("--device", "host", "--margin", "1"), "--device goes with --data"),
    ],
)
def test_what_is_no_device_is_refused(keraport, published, options, told):
    result = keraport("parity", published, *options, cwd=published.parents[2])
    assert result.returncode == 2
    assert told in result.stderr


def test_a_device_that_answers_otherwise_fails():
    answers = np.zeros((1000, 10), np.int8)
    other = answers.copy()
    other[500, 3] = 1
    verdict, reason = inherited(compare(other, answers, classes=True), "it has passed")
    assert verdict is Verdict.FAIL
    assert reason == "1 of 10,000 bytes differ on 1,000 samples, by at most 1, the class of 1"
    assert inherited(compare(answers, answers, classes=True), "it has passed")[0] is Verdict.PASS
