"""The report's tables about one output: what changed in classes, in calibration, in errors."""

from collections.abc import Sequence

from export.manifest import Artifact
from export.reporting.markup import Markup, join, tag
from export.reporting.numbers import NOTHING, class_name, number, outputs_of
from export.reporting.tables import cut_note, row, table
from export.verdict import ClassChange, ErrorChange, MetricShift, OutputComparison

MOST_CLASSES = 30
SHADES = 4
SIGNIFICANT = 0.05

Measured = Sequence[tuple[Artifact, OutputComparison]]


def measured(artifacts: Sequence[Artifact], head: str) -> Measured:
    """The artifacts that have an output, with it."""
    return [(artifact, output) for artifact in artifacts if (output := outputs_of(artifact).get(head))]


def classes_table(found: Measured, labels: Sequence[str]) -> Markup | None:
    """What every artifact loses and wins in each class; None if no class changed anywhere."""
    columns = [(artifact, {each.index: each for each in output.per_class}) for artifact, output in found]
    columns = [(artifact, changes) for artifact, changes in columns if changes]
    if not columns:
        return None
    smallest: dict[int, float] = {}
    for _, changes in columns:
        for index, change in changes.items():
            smallest[index] = min(change.mcnemar_p, smallest.get(index, 1.0))
    kept = sorted(sorted(smallest, key=lambda index: (smallest[index], index))[:MOST_CLASSES])
    largest = max(each.worse + each.better for _, changes in columns for each in changes.values())
    rows = [
        row(
            class_name(index, labels),
            next(f"{changes[index].samples:,}" for _, changes in columns if index in changes),
            *(_class_cell(changes.get(index), largest) for _, changes in columns),
        )
        for index in kept
    ]
    head = ["class", "samples", *(artifact.format for artifact, _ in columns)]
    return join(
        table(head, tag("tbody", *rows), caption="Changes by class"),
        cut_note(len(smallest), MOST_CLASSES, "classes, with larger p,"),
    )


def _class_cell(change: ClassChange | None, largest: int) -> Markup:
    if change is None:
        return tag("td", "·", class_="num faint")
    shade = -(-SHADES * (change.worse + change.better) // largest)
    text = f"\N{MINUS SIGN}{change.worse} +{change.better}"
    p_text = "p < 0.001" if change.holm_p < 0.001 else f"p {change.holm_p:.3g}"  # noqa: PLR2004
    bold = change.holm_p < SIGNIFICANT
    return tag(
        "td", tag("b", text) if bold else text, tag("small", f" {p_text}"), class_=f"num shade-{shade}"
    )


def calibration_table(found: Measured) -> Markup | None:
    """How far the probabilities still mean what they say; None where that is unknown."""
    shown = [(artifact, output.calibration) for artifact, output in found if output.calibration]
    if not shown:
        return None
    first = shown[0][1]
    reference = [f"{shift.reference:.5f}" for shift in (first.ece, first.nll, first.brier)]
    rows = [
        row("reference", *(cell for value in reference for cell in (value, ""))),
        *(
            row(
                artifact.format,
                *(
                    cell
                    for shift in (each.ece, each.nll, each.brier)
                    for cell in (f"{shift.candidate:.5f}", _shift(shift))
                ),
            )
            for artifact, each in shown
        ),
    ]
    head = ["artifact", "ECE", "shift [95 %]", "NLL", "shift [95 %]", "Brier", "shift [95 %]"]
    return table(head, tag("tbody", *rows), caption="Calibration")


def _shift(shift: MetricShift) -> Markup:
    texts = [_signed(value) for value in (shift.shift, *shift.interval)]
    return tag("td", texts[0], tag("small", f" [{texts[1]}, {texts[2]}]"), class_="num")


def _signed(value: float) -> str:
    text = f"{value:+.5f}".replace("-", "\N{MINUS SIGN}")
    return text[1:] if float(f"{value:.5f}") == 0 else text


def errors_table(found: Measured) -> Markup | None:
    """Errors of outputs that are values; None for other outputs."""
    shown = [(artifact, output.error) for artifact, output in found if output.error]
    if not shown:
        return None
    rows = [row(artifact.format, *_error_cells(error)) for artifact, error in shown]
    head = ["artifact", "measure", "reference", "candidate", "constant answer", "change", "bounds", "limit"]
    return table(head, tag("tbody", *rows), caption="Errors")


def _error_cells(error: ErrorChange) -> list[str]:
    lower, upper = (
        "any" if end is None else f"{number(end)}"
        for end in (error.increase_lower_percent, error.increase_upper_percent)
    )
    return [
        error.metric.replace("rmse", "RMSE") + ("" if error.column is None else f", column {error.column}"),
        f"{error.reference:.4g}",
        f"{error.candidate:.4g}",
        NOTHING if error.constant is None else f"{error.constant:.4g}",
        "no number" if error.increase_percent is None else f"{number(error.increase_percent)} %",
        f"[{lower}, {upper}] %",
        NOTHING if error.limit_percent is None else f"{error.limit_percent:g} %",
    ]
