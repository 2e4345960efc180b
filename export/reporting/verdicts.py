"""The report's first table: every artifact's verdict, what speaks for it, and why."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from export.latency import LARGE
from export.manifest import Artifact
from export.reporting.markup import Markup, tag
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
    margin_text,
    max_delta,
    one_text,
    pairs_of,
    score_name,
    score_text,
    shortened,
)
from export.reporting.report import Report
from export.reporting.tables import table, verdict_chip
from export.verdict import OutputComparison

MOST_HEADS = 8  # of one artifact
REASON = 400  # characters


def verdict_table(report: Report) -> Markup:
    """Every artifact: its verdict, what speaks for it, and why; a row more for each further output."""
    main = heads(report.artifacts)[:MOST_HEADS]
    columns = _columns(report.artifacts, main)
    bodies = [_verdict_rows(artifact, main, columns) for artifact in report.artifacts]
    left = 3 if len(main) > 1 else 2
    head = ["artifact", "verdict", *(column.name for column in columns)]
    return table(head, *bodies, caption="Verdicts", left=left, class_="grouped")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """A column of the verdicts' table.

    Attributes:
        name: its heading.
        text: what it says of an artifact and one of its outputs.
        once: whether it is about the artifact alone.
        note: something smaller behind it.
    """

    name: str
    text: Callable[[Artifact, OutputComparison | None], str]
    once: bool = False
    note: Callable[[OutputComparison | None], str] | None = None


def _columns(artifacts: Sequence[Artifact], main: Sequence[str]) -> list[_Column]:
    """The columns that say anything about these artifacts."""
    pairs = [pair for artifact in artifacts for pair in pairs_of(artifact, main)]
    shown = [output for _, output in pairs if output]
    interval = " [95 %]" if any(output.accuracy for output in shown) else ""
    columns = [
        _Column(name="bytes", text=lambda artifact, _: bytes_text(artifact), once=True),
        _Column(
            name=f"{score_name(shown)}{interval}",
            text=lambda _, output: score_text(output),
            note=_interval_text,
        ),
        _Column(
            name=f"{bound_name(shown)} at most",
            text=lambda _, output: at_most_text(bound_of(output) if output else None),
        ),
        _Column(name="margin", text=lambda _, output: margin_text(bound_of(output) if output else None)),
        _Column(name="agreement", text=lambda _, output: agreement_text(output)),
        _Column(name="max |Δ|", text=lambda artifact, output: delta_text(max_delta(artifact, output, main))),
        _Column(name="1 → ms", text=lambda artifact, _: one_text(artifact), once=True),
        _Column(name=f"{LARGE} → ms", text=lambda artifact, _: batch_text(artifact), once=True),
    ]
    used = [column for column in columns if any(column.text(*pair) != NOTHING for pair in pairs)]
    output = _Column(name="output", text=lambda _, output: shortened(output.output) if output else NOTHING)
    return [output, *used] if len(main) > 1 else used


def _verdict_rows(artifact: Artifact, main: Sequence[str], columns: Sequence[_Column]) -> Markup:
    pairs = pairs_of(artifact, main)
    rows = []
    for index, (_, output) in enumerate(pairs):
        cells = [
            tag("th", artifact.format, scope="rowgroup", rowspan=len(pairs)),
            tag("td", verdict_chip(artifact.verdict), rowspan=len(pairs)),
        ]
        rows.append(
            tag(
                "tr",
                *(cells if index == 0 else []),
                *(
                    tag(
                        "td",
                        column.text(artifact, output),
                        tag("small", column.note(output)) if column.note else None,
                        class_=None if column.name == "output" else "num",
                        rowspan=len(pairs) if column.once else None,
                    )
                    for column in columns
                    if index == 0 or not column.once
                ),
            )
        )
    why = tag("td", shortened(artifact.reason, REASON), colspan=len(columns) + 1)
    return tag("tbody", *rows, tag("tr", tag("td"), why, class_="why"))


def _interval_text(output: OutputComparison | None) -> str:
    if output is None or output.accuracy is None:
        return ""
    low, high = output.accuracy.candidate_interval
    return f" [{100 * low:.2f}, {100 * high:.2f}]"
