"""The C without a runtime on processors that QEMU emulates."""

import json
import os
import re
import shutil
import time
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from export.edge.devices.boards import BOARDS, Board, verify_on_board
from export.edge.devices.device import inherited
from export.edge.difference import compare
from export.edge.golden import Golden
from export.edge.prefix import Prefix
from export.errors import KitError
from export.verdict import Verdict

FLASH, RAM = 40 * 1024, 28 * 1024
DEVICES = {board.device: board for board in BOARDS}
M3 = DEVICES["qemu:mps2-an385"]
INFER = "void model_infer(uint8_t *arena, const int8_t *input, int8_t *output) {\n"

# 4 KiB of stack, and in the call that is counted 1,600 million instructions: the clock wraps twice.
LONG = """\
    static int calls;
    volatile uint8_t taken[4096];
    uint32_t turns = 800000000u;
    taken[0] = 1;
    output[0] = (int8_t)taken[0];
    if (++calls == 2) {
        __asm__ volatile("1: subs %0, %0, #1\\n bne 1b" : "+r"(turns) : : "cc");
    }
"""


def needs(*devices):
    """Skip a test where the programs of a device are missing."""
    missing = sorted({name for device in devices for name in DEVICES[device].missing()})
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} missing: make tools-edge")


def rows(text):
    """Golden vectors, flash, RAM, stack and instructions by processor, of the table that --verify prints."""
    found = re.findall(r"^(Cortex-M\d+|aarch64|armhf|wasm32) +\S+ +(.+)$", text, re.MULTILINE)
    return {cpu: re.split(r"  +", rest.strip()) for cpu, rest in found}


@pytest.fixture
def spoiled(kit, tmp_path):
    """A copy of the session's kit whose inference begins with another statement, and its golden vectors."""

    def spoil(statement: str) -> tuple[Path, Golden]:
        folder = tmp_path / "kit"
        shutil.copytree(kit, folder)
        source = (folder / "infer.c").read_text()
        assert source.count(INFER) == 1
        (folder / "infer.c").write_text(source.replace(INFER, f"{INFER}{statement}\n"))
        with np.load(folder / "golden" / "golden.npz") as vectors:
            return folder, Golden(**vectors)

    return spoil


@pytest.mark.slow
@needs(*DEVICES)
def test_no_byte_differs_on_any_processor(keraport, published, tmp_path):
    out = tmp_path / "kit"
    result = keraport(
        "edge", published, "--out", out, "--verify", "--prefix", "digits", cwd=published.parents[2]
    )
    assert result.returncode == 0, result.stdout + result.stderr
    found = rows(result.stdout)
    assert found.keys() == {board.cpu for board in BOARDS}
    assert found.pop("wasm32") == ["0 bytes differ"]
    for cpu, (verdict, *figures) in found.items():
        assert verdict == "0 bytes differ"
        flash, ram, *of_one_inference = (int(figure.replace(",", "")) for figure in figures)
        assert flash <= FLASH
        if cpu.startswith("Cortex"):
            stack, instructions = of_one_inference
            assert stack > 100
            assert ram + stack <= RAM
            assert instructions > 1_000_000
        else:
            assert not of_one_inference
            assert ram <= RAM
    assert "no cycles" in result.stdout
    assert "| Cortex-M55 | 0 bytes differ |" in (out / "README.md").read_text()
    boards = {board["cpu"]: board for board in json.loads((out / "kit.json").read_text())["boards"]}
    assert len(boards) == len(BOARDS)
    assert found["Cortex-M3"][3] == str(boards["Cortex-M3"]["stack_bytes"])


@pytest.mark.slow
@needs(M3.device)
def test_stack_and_instructions_of_an_inference_are_what_it_takes(spoiled, tmp_path):
    folder, golden = spoiled(LONG)
    facts = verify_on_board(M3, folder, Prefix(), golden, tmp_path, time_limit_s=300)
    assert facts.golden
    assert 4096 < facts.stack_bytes < 4096 + 1024
    assert 1_600_000_000 < facts.instructions < 1_700_000_000


@pytest.mark.slow
@needs(M3.device)
@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("    for (;;) {\n    }", "qemu-system-arm gave no result within 10 s: raise --time-limit"),
        ("    __builtin_trap();", "(exit code 99: the processor faulted)"),
    ],
    ids=["hangs", "faults"],
)
def test_a_program_that_hangs_or_faults_ends_with_an_error_and_its_emulator(
    spoiled, tmp_path, statement, told, running
):
    folder, golden = spoiled(statement)
    with pytest.raises(KitError, match=re.escape(told)):
        verify_on_board(M3, folder, Prefix(), golden, tmp_path, time_limit_s=10)
    assert not running(str(tmp_path))


@needs(M3.device)
def test_an_emulator_that_does_not_start_is_no_differing_byte(spoiled, tmp_path):
    folder, golden = spoiled("")
    board = Board(name="mps2-none", cpu=M3.cpu, flags=M3.flags)
    with pytest.raises(KitError, match="unsupported machine type"):
        verify_on_board(board, folder, Prefix(), golden, tmp_path, time_limit_s=60)


@pytest.mark.slow
@needs(M3.device)
def test_what_takes_more_than_a_board_has_is_left_out(spoiled, tmp_path):
    folder, golden = spoiled(
        "    static const int8_t large[5 << 20] = {1};\n    output[0] = large[arena[0]];"
    )
    facts = verify_on_board(M3, folder, Prefix(), golden, tmp_path, time_limit_s=60)
    assert facts.golden is None
    assert facts.reason == "verify takes more memory than it has"


@needs(M3.device)
def test_a_device_needs_a_thousand_samples_to_inherit_the_verdict(keraport, published):
    options = ("--device", M3.device, "--samples", 50, "--json")
    result = keraport("parity", published, *options, cwd=published.parents[2])
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


@pytest.mark.slow
@pytest.mark.parametrize(
    "device", [pytest.param(name, marks=needs(name)) for name in ("qemu:mps3-an547", "qemu:arm", "node")]
)
def test_an_emulated_device_inherits_the_verdict(keraport, published, device):
    result = keraport("parity", published, "--device", device, cwd=published.parents[2])
    assert result.returncode == 0, result.stderr
    assert "parity: pass, 0 of 10,000 bytes differ on 1,000 samples" in result.stdout


@needs(M3.device)
def test_a_board_that_answers_otherwise_is_found(spoiled, tmp_path):
    folder, golden = spoiled("    (void)arena;\n    output[0] = input[0];\n    return;")
    facts = verify_on_board(M3, folder, Prefix(), golden, tmp_path, time_limit_s=60)
    assert facts.golden is False


@pytest.mark.slow
@needs(*DEVICES)
def test_one_compiler_that_does_not_work_leaves_the_rest_of_the_proof(
    keraport, published, tmp_path, monkeypatch
):
    broken = tmp_path / "aarch64-linux-gnu-gcc"
    broken.write_text("#!/bin/sh\necho cannot find crt1.o >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    out = tmp_path / "kit"
    options = ("--out", out, "--samples", 10, "--verify")
    result = keraport("edge", published, *options, cwd=published.parents[2])
    assert result.returncode == 3, result.stderr
    assert "not proven: aarch64 could not be run" in result.stdout
    boards = json.loads((out / "kit.json").read_text())["boards"]
    assert [board["cpu"] for board in boards if board["broken"]] == ["aarch64"]
    assert "cannot find crt1.o" in next(board["reason"] for board in boards if board["broken"])
    assert sum(board["golden"] is True for board in boards) == len(BOARDS) - 1


@pytest.mark.slow
@needs(M3.device)
def test_an_emulator_ends_with_a_killed_command(published, interruptible, running, wait_for):
    process = interruptible(
        "parity", published, "--data", "mnist", "--device", M3.device, "--samples", 10_000
    )
    mine = f"{M3.name}.elf"
    while not running(mine):
        assert process.poll() is None
        time.sleep(0.1)
    process.kill()
    process.wait()
    wait_for(lambda: not running(mine), 10)


@pytest.mark.slow
def test_tensorflow_lite_micro_gets_a_verdict_by_all_test_samples(keraport, published, tmp_path):
    options = ("--device", "tflm", "--junit", tmp_path / "tflm.xml", "--json")
    result = keraport("parity", published, *options, cwd=published.parents[2])
    assert result.returncode == 0, result.stderr
    said = json.loads(result.stdout)
    assert said["device"] == "tflm"
    case = ElementTree.parse(tmp_path / "tflm.xml").getroot().find(".//testcase")  # noqa: S314  (our own)
    assert case.get("name") == "tflite-int8 on tflm"
    (artifact,) = said["artifacts"]
    assert (said["verdict"], artifact["format"]) == ("pass", "tflite-int8")
    assert artifact["comparison"]["samples"] == 10_000
    assert "by TensorFlow Lite Micro" in artifact["reason"]


@pytest.mark.slow
@pytest.mark.timeout(2400)
@needs(M3.device)
def test_a_microcontroller_answers_all_test_images_as_the_reference_kernels_do(keraport, published):
    options = ("--device", M3.device, "--samples", 10_000)
    result = keraport("parity", published, *options, cwd=published.parents[2], timeout=2300)
    assert result.returncode == 0, result.stderr
    assert "parity: pass, 0 of 100,000 bytes differ on 10,000 samples" in result.stdout


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
