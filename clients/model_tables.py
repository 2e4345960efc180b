"""How `keraport models` prints: tables for people, one document for programs."""

from collections.abc import Sequence
from typing import TextIO

import msgspec
from rich.console import Console
from rich.table import Table

from clients.names import printable
from clients.results import ModelEntry
from clients.statistics import ModelStatistics

PLAIN_WIDTH = 160  # where there is no terminal to measure, a table should not be squeezed into 80 columns


def make_console(stream: TextIO) -> Console:
    """A console that prints texts as they are, and wide where nobody's window limits it."""
    width = None if stream.isatty() else PLAIN_WIDTH
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def to_json(document: object) -> str:
    """An indented JSON document."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def print_entries(console: Console, entries: Sequence[ModelEntry]) -> None:
    """Print a line a version: its state, and the reason for it."""
    if not entries:
        console.print("the server has no model")
        return
    table = _table("model", "version", "state", "reason")
    for entry in entries:
        table.add_row(*map(printable, (entry.name, entry.version or "-", entry.state, entry.reason)))
    console.print(table)


def print_statistics(console: Console, statistics: Sequence[ModelStatistics]) -> None:
    """Print a line a version: what was asked, how it was batched, how long it took on average."""
    if not statistics:
        console.print("the server has counted nothing")
        return
    table = _table("model", "version")
    for column in ("answered", "failed", "rows", "runs", "mean batch", "request ms", "queue ms", "infer ms"):
        table.add_column(column, justify="right")
    for each in statistics:
        counts = (each.success.count, each.fail.count, each.rows, each.runs)
        times = (each.success.mean_ms, each.queue.mean_ms, each.compute_infer.mean_ms)
        table.add_row(
            printable(each.name),
            printable(each.version),
            *(f"{count:,}" for count in counts),
            f"{each.mean_batch:.1f}",
            *(f"{time:.3f}" for time in times),
        )
    console.print(table)


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column)
    return table
