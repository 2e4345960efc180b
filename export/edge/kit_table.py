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
    tflm = kit.tflm
    if tflm.arena_minimum is None:
        return [f"TensorFlow Lite Micro: left out, {printable(tflm.reason)}"]
    return [
        f"TensorFlow Lite Micro: {tflm.differing_bytes} of {tflm.compared_bytes:,} bytes differ on "
        f"{kit.golden.vectors} golden vectors; arena {tflm.arena_minimum:,} bytes, "
        f"{tflm.arena_bytes:,} with the margin"
    ]
