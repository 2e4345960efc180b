"""The table of artifacts on a terminal: whole numbers always, fewer columns where it is narrow."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from export.latency import LARGE
from export.manifest import Artifact
from export.markup import printable
from export.report_numbers import (
    NOTHING,
    agreement_text,
    at_most_text,
    batch_text,
    bound_name,
    bound_of,
    bytes_text,
    delta_text,
    heads,
    one_text,
    outputs_of,
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
WHY_WIDTH = 30  # below, reasons stand under the table
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
    columns = _fit(_columns(artifacts), console.width)
    room = console.width - _needed(columns) - GAP
    reasons = [printable(artifact.reason) for artifact in _rows_of(artifacts)]
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0))
    for column in columns:
        justify = "left" if column.name in TEXTS else "right"
        table.add_column(column.name, justify=justify, vertical="top", min_width=column.width)
    if room >= WHY_WIDTH:
        table.add_column("why")
    verdicts = [artifact.verdict for artifact in _rows_of(artifacts)]
    rows = zip(zip(*(column.cells for column in columns), strict=True), verdicts, reasons, strict=True)
    for cells, verdict, reason in rows:
        texts = [Text(cell, COLOURS[verdict] if cell == verdict else "", no_wrap=True) for cell in cells]
        first = bool(cells[0])
        table.add_row(*texts, *([Text(reason if first else "")] if room >= WHY_WIDTH else []))
    console.print(table)
    if room < WHY_WIDTH:
        _print_reasons(console, artifacts)
    for line in slower_lines(artifacts):
        console.print(Text(line))


def _print_reasons(console: Console, artifacts: Sequence[Artifact]) -> None:
    console.print()
    for artifact in artifacts:
        name = Text(f"{artifact.format}: ", COLOURS[artifact.verdict])
        console.print(name.append(printable(artifact.reason), "default"))


def _columns(artifacts: Sequence[Artifact]) -> list[_Column]:
    """All columns that say anything about these artifacts."""
    main = heads(artifacts)
    pairs = [pair for artifact in artifacts for pair in _outputs(artifact, main)]
    shown = [output for _, output in pairs if output is not None]
    firsts = [index == 0 or pairs[index - 1][0] is not pair[0] for index, pair in enumerate(pairs)]

    def once(texts: Sequence[str]) -> list[str]:
        return [text if first else "" for text, first in zip(texts, firsts, strict=True)]

    bounds = [at_most_text(bound_of(output)) if output else NOTHING for _, output in pairs]
    columns = [
        _Column("artifact", once([artifact.format.value for artifact, _ in pairs])),
        _Column(
            "output", [shortened(printable(output.output), 20) if output else NOTHING for _, output in pairs]
        ),
        _Column("bytes", once([bytes_text(artifact) for artifact, _ in pairs])),
        _Column(score_name(shown), [score_text(output) for _, output in pairs]),
        _Column("agreement", [agreement_text(output) for _, output in pairs]),
        _Column("max |Δ|", [delta_text(_max_delta(artifact, output, main)) for artifact, output in pairs]),
        _Column(f"{bound_name(shown)} at most", bounds),
        _Column("1 → ms", once([one_text(artifact) for artifact, _ in pairs])),
        _Column(f"{LARGE} → ms", once([batch_text(artifact) for artifact, _ in pairs])),
        _Column("verdict", once([artifact.verdict.value for artifact, _ in pairs])),
    ]
    if len(main) < 2:  # noqa: PLR2004  (nothing to tell apart)
        columns = [column for column in columns if column.name != "output"]
    return [column for column in columns if any(text not in ("", NOTHING) for text in column.cells)]


def _outputs(artifact: Artifact, main: Sequence[str]) -> list[tuple[Artifact, OutputComparison | None]]:
    found = [output for name in main if (output := outputs_of(artifact).get(name))]
    return [(artifact, output) for output in found] or [(artifact, None)]


def _rows_of(artifacts: Sequence[Artifact]) -> list[Artifact]:
    main = heads(artifacts)
    return [artifact for each in artifacts for artifact, _ in _outputs(each, main)]


def _max_delta(artifact: Artifact, output: OutputComparison | None, main: Sequence[str]) -> float | None:
    if len(main) > 1 and output is not None:
        return output.max_abs
    return artifact.comparison.max_abs_delta if artifact.comparison else None


def _fit(columns: list[_Column], width: int) -> list[_Column]:
    for name in DISPENSABLE:
        if _needed(columns) <= width:
            break
        columns = [column for column in columns if column.name != name]
    return columns


def _needed(columns: Sequence[_Column]) -> int:
    return sum(column.width + GAP for column in columns)
