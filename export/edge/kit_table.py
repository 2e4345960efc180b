"""What `keraport edge` prints of a kit."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from export.edge.budget import FLASH, RAM, Row, total
from export.edge.record import Kit, board_figures
from export.reporting.markup import printable
from export.verdict import Verdict

GAP = 2
ROUNDS_OTHERWISE = (
    "TensorFlow Lite Micro rounds in its own way: its verdict comes from keraport parity --device tflm"
)


def print_kit(console: Console, kit: Kit, out: Path) -> None:
    """Print a kit's files and what it needs."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0))
    table.add_column("file")
    table.add_column("bytes", justify="right")
    for file in kit.files:
        table.add_row(file.path, f"{file.bytes:,}")
    console.print(table)
    console.print(Text("\n".join(["", *kit_lines(kit)])))
    if kit.boards:
        _print_boards(console, kit)
    if kit.verdict_of_parts is Verdict.FAIL:
        console.print(Text("not the same model: it answers otherwise than the reference kernels"))
    if kit.verdict_of_parts is Verdict.INCONCLUSIVE:
        console.print(Text(f"not proven: {unproven(kit)}"))
    if kit.tflm.differs:
        console.print(Text(ROUNDS_OTHERWISE))
    console.print(Text(f"wrote {printable(str(out))}: {printable(kit.model)} version {kit.version}"))


def unproven(kit: Kit) -> str:
    """Why a kit proves less than was asked for."""
    if kit.broken:
        return f"{' and '.join(kit.broken)} could not be run"
    return "no part of it gives the reference kernels' bytes"


def _print_boards(console: Console, kit: Kit) -> None:
    """Print what emulated processors made of the C."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0))
    for name in ("processor", "emulated by", "golden vectors"):
        table.add_column(name)
    for name in ("flash", "RAM", "stack", "instructions"):
        table.add_column(name, justify="right")
    for board in kit.boards:
        if board.reason:
            table.add_row(board.cpu, board.board, f"not run: {board.reason}")
            continue
        verdict = "0 bytes differ" if board.golden else "bytes differ"
        table.add_row(board.cpu, board.board, verdict, *board_figures(kit, board))
    console.print()
    console.print(table)
    console.print(
        Text(
            "compiled by -O2; RAM is without the stack; stack and instructions are of one inference without "
            "interrupts; instructions are no cycles, which QEMU does not model"
        )
    )


def print_space(console: Console, rows: Sequence[Row], message: str) -> None:
    """Print what takes flash and RAM, and that it is too much."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0))
    table.add_column("memory")
    table.add_column("bytes", justify="right")
    table.add_column("what")
    for row in rows:
        table.add_row(row.memory, f"{row.bytes:,}", row.what)
    for memory in (FLASH, RAM):
        table.add_row(memory, f"{total(tuple(rows), memory):,}", "in all")
    console.print(table)
    console.print(Text(f"nothing written: {printable(message)}"))


def kit_lines(kit: Kit) -> list[str]:
    """What a kit needs and was proven on, one line each."""
    return [*_portable_lines(kit), *_tflm_lines(kit), *_browser_lines(kit)]


def _portable_lines(kit: Kit) -> list[str]:
    portable, test = kit.portable, kit.host.test
    if portable.arena_bytes is None:
        return [f"C without a runtime: left out, {printable(portable.reason)}"]
    return [
        f"C without a runtime: {test.summary if test else 'not proven, for want of a C compiler here'}",
        f"  {kit.ram_bytes:,} bytes of RAM with input and output, {_flash(kit)}",
    ]


def _flash(kit: Kit) -> str:
    if kit.code is None:
        return (
            f"{kit.portable.constant_bytes:,} of constants and the code, which no compiler here could measure"
        )
    return f"{kit.code.flash_bytes:,} of flash, compiled by -Os for {kit.code.target}"


def _tflm_lines(kit: Kit) -> list[str]:
    tflm = kit.tflm
    if tflm.golden is None or tflm.test is None:
        return [f"TensorFlow Lite Micro: left out, {printable(tflm.reason)}"]
    return [
        f"TensorFlow Lite Micro: {tflm.test.summary}",
        f"  of the golden vectors {tflm.golden.summary}",
        f"  an arena of {tflm.arena_minimum:,} bytes is enough, {tflm.arena_bytes:,} with the margin",
    ]


def _browser_lines(kit: Kit) -> list[str]:
    browser = kit.browser
    if browser is None:
        return []
    if browser.golden is None or browser.test is None:
        missing = f"{' and '.join(browser.missing)} missing"
        return [f"the uint8 file in a browser: {printable(browser.failure or browser.broken or missing)}"]
    return [
        f"the uint8 file, {printable(browser.release)}: {browser.test.summary}",
        f"  of the golden vectors {browser.golden.summary}",
    ]
