"""The report's plots: what each of its figures is given to draw."""

import math
from collections.abc import Iterator, Sequence

from export.manifest import Artifact
from export.reporting.figures import Interval, histogram_panel, interval_plot
from export.reporting.markup import Markup, tag
from export.reporting.numbers import Bound, bound_of, delta_text, number, outputs_of, shortened
from export.verdict import AccuracyChange, OutputComparison, OutputKind, Verdict

PANELS = 24
CLIP_MARGINS = 4  # an axis this many margins long still shows which side of its margin an interval is on
CLIP_WIDTHS = 8  # of the reference's interval
TITLES = {
    "drop": ("How much accuracy may be lost", "accuracy drop, percentage points"),
    "other answers": ("How many answers may differ", "samples with another answer, %"),
    "increase": ("How much the error may have grown", "increase of the error, %"),
    "distance": ("How far values may have moved", "distance relative to the reference's spread, %"),
}


def changes_plot(artifacts: Sequence[Artifact], head: str) -> Markup | None:
    """The change of every artifact with its bounds, against its margin; None where none was measured."""
    found = [
        (artifact, bound)
        for artifact in artifacts
        if (output := outputs_of(artifact).get(head)) and (bound := bound_of(output))
    ]
    if not found:
        return None
    what = found[0][1].what
    found = [(artifact, bound) for artifact, bound in found if bound.what == what]
    title, axis = TITLES[what]
    rows = [
        Interval(
            label=artifact.format,
            text=_bound_text(bound),
            verdict=artifact.verdict,
            point=bound.point,
            lower=bound.lower,
            upper=bound.upper,
            margin=bound.margin,
        )
        for artifact, bound in found
    ]
    plot = interval_plot(
        f"{title}: {'; '.join(f'{row.label} {row.text}' for row in rows)}",
        rows,
        axis=axis,
        texts="change [one-sided 95 % bounds] / margin",
        line=0,
        limits=_change_limits([bound for _, bound in found]),
    )
    return tag("figure", tag("h3", title), tag("div", plot, class_="scroll"))


def _bound_text(bound: Bound) -> str:
    lower, upper = (_end_text(value) for value in (bound.lower, bound.upper))
    point = "no number" if bound.point is None else _signed(bound.point)
    return f"{point} [{lower}, {upper}] / {'none' if bound.margin is None else f'{bound.margin:g}'}"


def _end_text(value: float | None) -> str:
    return "\N{INFINITY}" if value is None else _signed(value)


def _signed(value: float) -> str:
    return number(value).replace("-", "\N{MINUS SIGN}")


def _change_limits(bounds: Sequence[Bound]) -> tuple[float, float]:
    margins = [bound.margin for bound in bounds if bound.margin]
    clip = CLIP_MARGINS * max(margins) if margins else math.inf
    lows = [bound.lower for bound in bounds if bound.lower is not None]
    highs = [bound.upper for bound in bounds if bound.upper is not None]
    low = max(min([0.0, *lows]), -clip)
    high = min(max([0.0, *highs, *margins]), clip)
    room = 0.04 * (high - low) or 1.0
    return low - room, high + room


def accuracy_plot(artifacts: Sequence[Artifact], head: str) -> Markup | None:
    """Accuracies with their 95 % intervals, the reference's first; None without labels."""
    found = [
        (artifact, output.accuracy)
        for artifact in artifacts
        if (output := outputs_of(artifact).get(head)) and output.accuracy
    ]
    if not found:
        return None
    reference = found[0][1]
    rows = [
        _accuracy_row("reference", None, reference.reference, reference.reference_interval),
        *(
            _accuracy_row(artifact.format, artifact.verdict, each.candidate, each.candidate_interval)
            for artifact, each in found
        ),
    ]
    plot = interval_plot(
        f"Accuracy: {'; '.join(f'{row.label} {row.text}' for row in rows)}",
        rows,
        axis="accuracy, %",
        texts="accuracy [95 % interval]",
        line=100 * reference.reference,
        limits=_accuracy_limits([each for _, each in found]),
    )
    return tag("figure", tag("h3", "Accuracy"), tag("div", plot, class_="scroll"))


def _accuracy_row(
    label: str, verdict: Verdict | None, accuracy: float, interval: tuple[float, float]
) -> Interval:
    lower, upper = (100 * end for end in interval)
    text = f"{accuracy:.2%} [{lower:.2f}, {upper:.2f}]"
    return Interval(label=label, text=text, verdict=verdict, point=100 * accuracy, lower=lower, upper=upper)


def _accuracy_limits(changes: Sequence[AccuracyChange]) -> tuple[float, float]:
    low, high = (100 * end for end in changes[0].reference_interval)
    clip = CLIP_WIDTHS * (high - low)
    ends = [100 * end for change in changes for end in change.candidate_interval]
    low, high = max(min(low, *ends), low - clip), min(max(high, *ends), high + clip)
    room = 0.04 * (high - low)
    return low - room, high + room


def histogram_grid(artifacts: Sequence[Artifact]) -> Markup | None:
    """|Δ| of every artifact and output, all on one scale; None where nothing was compared."""
    found = [pair for artifact in artifacts for pair in _numeric_outputs(artifact)]
    if not found:
        return None
    shown = found[:PANELS]
    bins = _bins([output for _, output in shown])
    panels = [
        tag(
            "figure",
            tag("figcaption", tag("b", artifact.format), f" {shortened(output.output)}"),
            histogram_panel(
                _panel_title(artifact, output), output.histogram, bins, output.tolerance, artifact.verdict
            ),
            tag("figcaption", _panel_text(output), class_="note"),
        )
        for artifact, output in shown
    ]
    note = f"{len(found) - PANELS} more are in report.json." if len(found) > PANELS else None
    return tag("div", tag("div", *panels, class_="panels"), tag("p", note, class_="note") if note else None)


def _numeric_outputs(artifact: Artifact) -> Iterator[tuple[Artifact, OutputComparison]]:
    for output in outputs_of(artifact).values():
        if output.kind is not OutputKind.LABELS:
            yield artifact, output


def _panel_title(artifact: Artifact, output: OutputComparison) -> str:
    limit = f", tolerance {delta_text(output.tolerance)}" if output.tolerance else ""
    return f"|Δ| of {artifact.format}, output {shortened(output.output)}: {_panel_text(output)}{limit}"


def _panel_text(output: OutputComparison) -> str:
    total = output.histogram.zero + sum(output.histogram.counts)
    zero = output.histogram.zero / max(total, 1)
    return f"max {delta_text(output.max_abs)}, {_share_text(zero)} are 0"


def _share_text(share: float) -> str:
    """A share that is 0 % or 100 % only if it is just that."""
    text = f"{share:.0%}"
    return "under 1%" if share > 0 and text == "0%" else "over 99%" if share < 1 and text == "100%" else text


def _bins(outputs: Sequence[OutputComparison]) -> range:
    """The bins that any of these fills, and those of their tolerances."""
    first = outputs[0].histogram
    filled = [index for each in outputs for index, count in enumerate(each.histogram.counts) if count]
    limits = [
        int((math.log10(each.tolerance) - first.log10_first) // first.log10_step)
        for each in outputs
        if each.tolerance
    ]
    last = len(first.counts) - 1
    used = [min(max(index, 0), last) for index in (*filled, *limits)] or [0, last]
    return range(min(used), max(used) + 1)
