"""The report's tables about artifacts: sizes and times, every output's numbers, what went wrong."""

from collections.abc import Callable, Sequence

from export.formats import FORMATS
from export.latency import LARGE
from export.manifest import Artifact
from export.reporting.figures import bar
from export.reporting.markup import Markup, Piece, join, tag
from export.reporting.numbers import (
    NOTHING,
    batch_text,
    bytes_text,
    delta_text,
    float_sibling,
    one_text,
    outputs_of,
    shortened,
    slower_lines,
)
from export.reporting.report import Report
from export.verdict import OutputComparison, Verdict

MOST_OUTPUTS = 60  # rows of the table of all numbers


def table(
    head: Sequence[Piece], *bodies: Markup, caption: str, left: int = 1, class_: str | None = None
) -> Markup:
    """A table whose first columns are texts, the others numbers.

    Args:
        head: its columns' names.
        bodies: its `tbody` elements.
        caption: read out, not seen.
        left: columns of texts.
        class_: of the table.
    """
    cells = [
        tag("th", name, scope="col", class_=None if index < left else "num")
        for index, name in enumerate(head)
    ]
    return tag(
        "div",
        tag("table", tag("caption", caption), tag("thead", tag("tr", *cells)), *bodies, class_=class_),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=caption,
    )


def row(name: Piece, *cells: Piece, class_: str | None = None) -> Markup:
    """A row of numbers with its name before them."""
    numbers = [cell if _is_cell(cell) else tag("td", cell, class_="num") for cell in cells]
    return tag("tr", tag("th", name, scope="row"), *numbers, class_=class_)


def _is_cell(piece: Piece) -> bool:
    return isinstance(piece, Markup) and piece.startswith("<td")


def verdict_chip(verdict: Verdict) -> Markup:
    """A verdict in its colour."""
    return tag("span", verdict.value, class_=f"chip {verdict.value}")


def cost_table(report: Report) -> Markup | None:
    """Size and time of what can be shipped, with bars; None if nothing has either."""
    shown = [artifact for artifact in report.artifacts if artifact.bytes]
    if not shown:
        return None
    measures: list[tuple[str, Callable[[Artifact], str], Callable[[Artifact], float]]] = [
        ("bytes", bytes_text, lambda each: each.bytes),
        ("1 → ms", one_text, lambda each: each.latency.one_ms if each.latency else 0),
        (f"{LARGE} → ms", batch_text, lambda each: each.latency.batch_ms if each.latency else 0),
    ]
    if not any(artifact.latency for artifact in shown):
        measures = measures[:1]
    longest = [max(value(each) for each in shown) or 1 for _, _, value in measures]
    rows = [
        row(
            artifact.format,
            *(
                piece
                for (_, text, value), most in zip(measures, longest, strict=True)
                for piece in (
                    text(artifact),
                    _meter(value(artifact) / most, _relation(artifact, shown, value)),
                )
            ),
        )
        for artifact in shown
    ]
    head = ["artifact", *(piece for name, _, _ in measures for piece in (name, ""))]
    notes = [tag("p", line, class_="note strong") for line in slower_lines(shown)]
    return join(table(head, tag("tbody", *rows), caption="Size and latency"), *notes)


def _meter(share: float, relation: str) -> Markup:
    return tag("td", bar(share) if share else None, tag("small", relation), class_="bars")


def _relation(artifact: Artifact, others: Sequence[Artifact], value: Callable[[Artifact], float]) -> str:
    """How a number compares with that of the single-precision artifact of the same runtime."""
    sibling = float_sibling(artifact, others)
    if sibling is None or not value(sibling) or not value(artifact):
        return ""
    return f" \N{MULTIPLICATION SIGN} {value(artifact) / value(sibling):.2f}"


def outputs_table(report: Report) -> Markup | None:
    """Every output of every artifact in numbers; None if nothing was compared."""
    found = [(artifact, output) for artifact in report.artifacts for output in outputs_of(artifact).values()]
    if not found:
        return None
    rows = [
        tag(
            "tr",
            tag("th", artifact.format, scope="row"),
            tag("td", shortened(output.output)),
            tag("td", output.kind.value),
            *(tag("td", text, class_="num") for text in _output_numbers(output)),
            tag("td", verdict_chip(output.verdict)),
        )
        for artifact, output in found[:MOST_OUTPUTS]
    ]
    head = [
        "artifact",
        "output",
        "kind",
        "max |Δ|",
        "p99.9 |Δ|",
        "mean |Δ|",
        "tolerance",
        "slope",
        "mean KL",
        "max KL",
        "",
    ]
    return join(
        table(head, tag("tbody", *rows), caption="Every output", left=3), cut_note(len(found), MOST_OUTPUTS)
    )


def _output_numbers(output: OutputComparison) -> list[str]:
    return [
        delta_text(output.max_abs),
        delta_text(output.p999_abs),
        delta_text(output.mean_abs),
        delta_text(output.tolerance),
        NOTHING if output.slope is None else f"{output.slope:.4f}",
        delta_text(output.kl_mean),
        delta_text(output.kl_max),
    ]


def cut_note(count: int, shown: int, what: str = "rows") -> Markup | None:
    """Says that a table was cut; None if it was not."""
    return (
        tag("p", f"{count - shown:,} more {what} are in report.json.", class_="note")
        if count > shown
        else None
    )


def unshipped(report: Report) -> Markup | None:
    """What failed or was refused, with its converter's last words; None if nothing was."""
    parts = []
    for artifact in report.artifacts:
        if artifact.verdict not in (Verdict.FAIL, Verdict.REFUSED):
            continue
        need = "required" if artifact.format in report.required else "not required"
        parts.append(
            tag(
                "div",
                tag("h3", artifact.format, " ", verdict_chip(artifact.verdict), tag("small", f" {need}")),
                tag("p", f"{FORMATS[artifact.format].what}: {shortened(artifact.reason, 2000)}"),
                tag("pre", _tail(artifact.log)) if artifact.log.strip() else None,
                class_="trouble",
            )
        )
    return join(*parts) if parts else None


def _tail(log: str) -> str:
    return "\n".join(shortened(line, 400) for line in log.strip().splitlines()[-40:])
