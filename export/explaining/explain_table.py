"""What an explanation shows on a terminal: one row a layer, its ratio as a number and a bar."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from export.explaining.explanation import CEILING_DB, Explanation
from export.formats import Format
from export.reporting.markup import printable

BAR_WIDTH, FULL_DB = 30, 150.0


def print_explanation(console: Console, kind: Format, explanation: Explanation | str) -> None:
    """Print where an artifact leaves the reference, or why that cannot be told."""
    if isinstance(explanation, str):
        console.print(Text(f"{kind}: {printable(explanation)}"))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("layer")
    table.add_column("signal to noise", justify="right")
    table.add_column("")
    for row in explanation.layers:
        colour = "red" if row.snr_db < explanation.floor_db else "green"
        cells = round(BAR_WIDTH * min(max(row.snr_db, 0.0), FULL_DB) / FULL_DB)
        shown = "equal" if row.snr_db >= CEILING_DB else f"{row.snr_db:.1f} dB"
        table.add_row(Text(printable(row.layer)), shown, Text("█" * max(cells, 1), colour))
    console.print(Text(f"{kind}: {printable(explanation.summary)}", "bold"))
    console.print(table)
