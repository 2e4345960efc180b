"""How `keraport data show` prints a data set's summary: tables for people, one document for programs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import msgspec
from rich.console import Console
from rich.table import Table

from training.printable import printable
from training.samples import Task
from training.summary import ArraySummary, DatasetSummary

PLAIN_WIDTH = 160  # where there is no terminal to measure, a table should not be squeezed into 80 columns
CLASS_ROWS = 40  # a longer list is no overview


def make_console(stream: TextIO) -> Console:
    """A console that prints texts as they are, and wide where nobody's window limits it."""
    width = None if stream.isatty() else PLAIN_WIDTH
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def print_summary(console: Console, summary: DatasetSummary) -> None:
    """Print where the data are from, their splits, and how many samples each class or label has."""
    tasks = {name: target.task.replace("_", "-") for name, target in summary.targets.items()}
    several = ", ".join(f"{name} {task}" for name, task in tasks.items())
    task = several if len(tasks) > 1 else next(iter(tasks.values()), "unlabelled")
    console.print(f"{printable(summary.source)}: {task}, SHA-256 {summary.sha256}", soft_wrap=True)
    console.print()
    console.print(_splits(summary))
    for name, target in summary.targets.items():
        if target.labels:
            console.print()
            console.print(_counts(summary, name))
        if len(target.labels) > CLASS_ROWS:
            console.print(f"and {len(target.labels) - CLASS_ROWS:,} more: --json lists them all")
    console.print()


def summary_document(summary: DatasetSummary, warnings: Sequence[str], gallery: Path | None) -> str:
    """The summary, the warnings and where the gallery is (null if there is none), as JSON."""
    document = {
        **msgspec.to_builtins(summary),
        "warnings": warnings,
        "gallery": None if gallery is None else str(gallery),
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def _splits(summary: DatasetSummary) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("split", "samples", "array", "dtype", "shape", "values"):
        table.add_column(column, justify="right" if column == "samples" else "left")
    for name, split in summary.splits.items():
        rows = [*split.inputs.items(), *((f"target {each}", array) for each, array in split.targets.items())]
        for array_name, array in rows:
            table.add_row(name, f"{split.samples:,}", array_name, array.dtype, _shape(array), _range(array))
    return table


def _shape(array: ArraySummary) -> str:
    return " x ".join(map(str, array.shape)) or "one number"


def _range(array: ArraySummary) -> str:
    return f"{array.minimum:.6g} to {array.maximum:.6g}"


def _counts(summary: DatasetSummary, name: str) -> Table:
    """Samples of each class, or with each label, of one target."""
    target = summary.targets[name]
    kind = "label" if target.task is Task.MULTI_LABEL else "class"
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(f"{kind} of {name}" if len(summary.targets) > 1 else kind)
    for split_name in summary.splits:
        table.add_column(split_name, justify="right")
        table.add_column("share", justify="right")
    for label in target.labels[:CLASS_ROWS]:
        cells = []
        for split in summary.splits.values():
            count = split.counts[name][label]
            cells += [f"{count:,}", f"{count / split.samples:.1%}"]
        table.add_row(printable(label), *cells)
    return table
