"""What `keraport edge` prints of a kit."""

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from export.edge.record import Kit
from export.reporting.markup import printable

GAP = 2


def print_kit(console: Console, kit: Kit, out: Path) -> None:
    """Print a kit's files and what it needs."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0))
    table.add_column("file")
    table.add_column("bytes", justify="right")
    for file in kit.files:
        table.add_row(file.path, f"{file.bytes:,}")
    console.print(table)
    console.print(Text("\n".join(["", *kit_lines(kit)])))
    console.print(Text(f"wrote {printable(str(out))}: {printable(kit.model)} version {kit.version}"))


def kit_lines(kit: Kit) -> list[str]:
    """What a kit needs and was proven on, one line each."""
    return [*_portable_lines(kit), *_tflm_lines(kit)]


def _portable_lines(kit: Kit) -> list[str]:
    portable, test = kit.portable, kit.host.test
    if portable.arena_bytes is None:
        return [f"C without a runtime: left out, {printable(portable.reason)}"]
    memory = portable.arena_bytes + kit.input.bytes + kit.output.bytes
    return [
        f"C without a runtime: {test.summary if test else 'not proven, for want of a C compiler here'}",
        f"  {memory:,} bytes of RAM with input and output, {portable.constant_bytes:,} of constants",
    ]


def _tflm_lines(kit: Kit) -> list[str]:
    tflm = kit.tflm
    if tflm.golden is None or tflm.test is None:
        return [f"TensorFlow Lite Micro: left out, {printable(tflm.reason)}"]
    return [
        f"TensorFlow Lite Micro: {tflm.test.summary}",
        f"  of the golden vectors {tflm.golden.differing_bytes:,} bytes differ",
        f"  an arena of {tflm.arena_minimum:,} bytes is enough, {tflm.arena_bytes:,} with the margin",
    ]
