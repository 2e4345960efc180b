"""The table of artifacts on a terminal: whole numbers always, fewer columns where it is narrow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from export.latency import LARGE
from export.manifest import Artifact
from export.reporting.markup import printable
from export.reporting.numbers import (
    NOTHING,
    agreement_text,
    at_most_text,
    batch_text,
    bound_name,
    bound_of,
    bytes_text,
    delta_text,
    heads,
    max_delta,
    one_text,
    pairs_of,
    score_name,
    score_text,
    shortened,
    slower_lines,
)
from export.verdict import OutputComparison, Verdict

COLOURS = {
    Verdict.PASS: "green",
    Verdict.FAIL: "red",
    Verdict.REFUSED: "red",
    Verdict.INCONCLUSIVE: "yellow",
}
GAP = 2  # between columns
WHY_WIDTH = 40  # below, reasons stand under the table
WHY = "why"
TEXTS = ("artifact", "output", "verdict")
# What a narrow terminal goes without, the first one first; the verdict's own numbers stay.
DISPENSABLE = ("agreement", f"{LARGE} → ms", "max |Δ|", "1 → ms", "bytes", "output")


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of texts, one a row; its name may be set on two lines."""

    name: str
    cells: list[str]

    @property
    def width(self) -> int:
        """What it needs."""
        return max(cell_len(text) for text in (*self.name.split(), *self.cells))


def print_table(console: Console, artifacts: Sequence[Artifact]) -> None:
    """Print one row an artifact, or, of several outputs with verdicts of their own, one an output."""
    if not artifacts:
        return
    *columns, reasons = _columns(artifacts)
    columns = _fit(columns, console.width)
    room = console.width - _needed(columns) - GAP
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0))
    for column in columns:
        left = column.name in TEXTS
        table.add_column(column.name, justify="left" if left else "right", width=column.width, no_wrap=left)
    if room >= WHY_WIDTH:
        columns = [*columns, reasons]
        table.add_column(WHY)
    for texts in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*(_text(column, text) for column, text in zip(columns, texts, strict=True)))
    console.print(table)
    if room < WHY_WIDTH:
        _print_reasons(console, artifacts)
    if lines := slower_lines(artifacts):
        console.print(Text("\n".join(["", *lines])))


def _text(column: _Column, text: str) -> Text:
    return Text(text, COLOURS[Verdict(text)] if column.name == "verdict" and text else "")


def _print_reasons(console: Console, artifacts: Sequence[Artifact]) -> None:
    console.print()
    for artifact in artifacts:
        name = Text(f"{artifact.format}: ", COLOURS[artifact.verdict])
        console.print(name.append(printable(artifact.reason), "default"))


def _columns(artifacts: Sequence[Artifact]) -> list[_Column]:
    """All columns that say anything about these artifacts, the reasons last."""
    main = heads(artifacts)
    pairs = [pair for artifact in artifacts for pair in pairs_of(artifact, main)]
    shown = [output for _, output in pairs if output is not None]
    firsts = [index == 0 or pairs[index - 1][0] is not pair[0] for index, pair in enumerate(pairs)]

    def once(text: Callable[[Artifact], str]) -> list[str]:
        return [text(artifact) if first else "" for (artifact, _), first in zip(pairs, firsts, strict=True)]

    bounds = [at_most_text(bound_of(output) if output else None) for _, output in pairs]
    columns = [
        _Column("artifact", once(lambda artifact: artifact.format.value)),
        _Column("output", [_output_text(output) for _, output in pairs] if len(main) > 1 else []),
        _Column("bytes", once(bytes_text)),
        _Column(score_name(shown), [score_text(output) for _, output in pairs]),
        _Column("agreement", [agreement_text(output) for _, output in pairs]),
        _Column("max |Δ|", [delta_text(max_delta(artifact, output, main)) for artifact, output in pairs]),
        _Column(f"{bound_name(shown)} at most", bounds),
        _Column("1 → ms", once(one_text)),
        _Column(f"{LARGE} → ms", once(batch_text)),
        _Column("verdict", once(lambda artifact: artifact.verdict.value)),
    ]
    said = [column for column in columns if any(text not in ("", NOTHING) for text in column.cells)]
    return [*said, _Column(WHY, once(lambda artifact: printable(artifact.reason)))]


def _output_text(output: OutputComparison | None) -> str:
    return shortened(printable(output.output), 20) if output else NOTHING


def _fit(columns: list[_Column], width: int) -> list[_Column]:
    for name in DISPENSABLE:
        if _needed(columns) <= width:
            break
        columns = [column for column in columns if column.name != name]
    return columns


def _needed(columns: Sequence[_Column]) -> int:
    return sum(column.width + GAP for column in columns) - GAP
