"""The C without a runtime on processors that QEMU emulates."""

import json
import re

import pytest

from export.edge.boards import BOARDS

FLASH = 40 * 1024
M3 = BOARDS[0]


def rows(text):
    """Processor, golden vectors, flash, RAM and instructions of the table that --verify prints."""
    found = re.findall(r"^(Cortex-M\d+|aarch64|armhf) +\S+ +(.+)$", text, re.MULTILINE)
    return {cpu: re.split(r"  +", rest.strip()) for cpu, rest in found}


@pytest.mark.edge
def test_no_byte_differs_on_any_processor(keraport, published, tmp_path):
    out = tmp_path / "kit"
    result = keraport("edge", published, "--out", out, "--verify", cwd=published.parents[2])
    assert result.returncode == 0, result.stdout + result.stderr
    found = rows(result.stdout)
    assert found.keys() == {board.cpu for board in BOARDS}
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
