"""The report's figures as inline SVG: interval plots, histograms and bars, without scripts or fonts."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from export.reporting.markup import Markup, join, tag
from export.verdict import Histogram, Verdict

WIDTH, LABELS, TEXTS, ROW = 760.0, 128.0, 232.0, 26.0
TOP, BOTTOM = 22.0, 34.0
PANEL_WIDTH, PANEL_HEIGHT = 236.0, 112.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """One row of an interval plot.

    Attributes:
        label: at its left.
        text: at its right.
        verdict: whose colour it has; None for the reference.
        point: in the middle; None where it is no number.
        lower: where the line begins; None if that is no number.
        upper: where it ends; None if it has no end.
        margin: a tick that the line should stay left of; None where there is none.
    """

    label: str
    text: str
    verdict: Verdict | None
    point: float | None
    lower: float | None
    upper: float | None
    margin: float | None = None


def interval_plot(
    title: str, rows: Sequence[Interval], *, axis: str, texts: str, line: float, limits: tuple[float, float]
) -> Markup:
    """Points with their intervals, one row each, above a common axis.

    Args:
        title: read out in place of the figure.
        rows: from top to bottom.
        axis: what the axis shows.
        texts: the heading of the rows' texts.
        line: where a vertical line marks no change.
        limits: of the axis; what lies beyond ends in an arrow.
    """
    height = TOP + ROW * len(rows) + BOTTOM
    left, right, end = LABELS + 8, WIDTH - TEXTS - 12, TOP + ROW * len(rows)
    low, high = limits

    def place(value: float) -> float:
        return left + (right - left) * (min(max(value, low), high) - low) / (high - low)

    ticks = [
        join(
            tag("line", x1=place(tick), x2=place(tick), y1=TOP - 4, y2=end, class_="grid"),
            tag("text", _tick_text(tick), x=place(tick), y=end + 15, text_anchor="middle", class_="tick"),
        )
        for tick in nice_ticks(low, high)
    ]
    marks = [_interval(row, TOP + ROW * (index + 0.5), place, limits) for index, row in enumerate(rows)]
    return tag(
        "svg",
        tag("title", title),
        *ticks,
        tag("line", x1=place(line), x2=place(line), y1=TOP - 4, y2=end, class_="zero"),
        tag("text", axis, x=(left + right) / 2, y=end + 30, text_anchor="middle", class_="tick"),
        tag("text", texts, x=WIDTH, y=12.0, text_anchor="end", class_="tick"),
        *marks,
        viewBox=f"0 0 {WIDTH:g} {height:g}",
        role="img",
        class_="wide",
    )


def _interval(
    row: Interval, y: float, place: Callable[[float], float], limits: tuple[float, float]
) -> Markup:
    low, high = limits
    lower = low if row.lower is None else row.lower
    upper = math.inf if row.upper is None else row.upper
    begin, stop = place(lower), place(upper)
    pieces = [tag("text", row.label, x=0.0, y=y + 4, class_="name")]
    if row.margin is not None:
        pieces.append(
            tag("line", x1=place(row.margin), x2=place(row.margin), y1=y - 10, y2=y + 10, class_="margin")
        )
    pieces.append(tag("line", x1=begin, x2=stop, y1=y, y2=y, class_="range"))
    pieces.append(_end(begin, y, -1, beyond=lower < low))
    pieces.append(_end(stop, y, 1, beyond=upper > high))
    if row.point is not None and low <= row.point <= high:
        pieces.append(tag("rect", x=place(row.point) - 4, y=y - 4, width=8.0, height=8.0, class_="point"))
    pieces.append(tag("text", row.text, x=WIDTH, y=y + 4, text_anchor="end", class_="value"))
    return tag("g", *pieces, class_=row.verdict.value if row.verdict else "reference")


def _end(x: float, y: float, side: int, *, beyond: bool) -> Markup:
    """The end of a line: a bar, or an arrow where it goes on."""
    if beyond:
        points = f"{x + 6 * side:.1f},{y:.1f} {x - 2 * side:.1f},{y - 5:.1f} {x - 2 * side:.1f},{y + 5:.1f}"
        return tag("polygon", points=points, class_="point")
    return tag("line", x1=x, x2=x, y1=y - 4, y2=y + 4, class_="range")


def nice_ticks(low: float, high: float, wanted: int = 6) -> list[float]:
    """Round numbers within limits, about as many as wanted."""
    raw = (high - low) / wanted
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def _tick_text(value: float) -> str:
    return "0" if value == 0 else f"{value:.6g}".replace("-", "\N{MINUS SIGN}")


def histogram_panel(
    title: str, histogram: Histogram, bins: range, tolerance: float | None, verdict: Verdict
) -> Markup:
    """|Δ| in decimal logarithms, with those that are exactly 0 apart at the left.

    Args:
        title: read out in place of the figure.
        histogram: what to draw.
        bins: which of its bins, the same in all panels that are compared.
        tolerance: where the limit is marked; None if there is none.
        verdict: whose colour the bars have.
    """
    counts = [histogram.counts[index] for index in bins]
    highest = max([histogram.zero, *counts, 1])
    left, right, top, ground = 42.0, PANEL_WIDTH - 6, 10.0, PANEL_HEIGHT - 22
    width = (right - left) / max(len(bins), 1)
    bars = [
        tag("rect", x=x, y=ground - size, width=wide, height=size, class_="bar")
        for x, wide, count in [
            (2.0, 12.0, histogram.zero),
            *((left + width * index + 0.5, width - 1, count) for index, count in enumerate(counts)),
        ]
        if count
        for size in [max(1.0, (ground - top) * count / highest)]
    ]

    def place(exponent: float) -> float:
        steps = (exponent - histogram.log10_first) / histogram.log10_step - bins.start
        return left + width * min(max(steps, 0), len(bins))

    return tag(
        "svg",
        tag("title", title),
        *bars,
        tag("line", x1=0.0, x2=16.0, y1=ground, y2=ground, class_="axis"),
        tag("text", "0", x=8.0, y=ground + 14, text_anchor="middle", class_="tick"),
        tag("line", x1=left, x2=right, y1=ground, y2=ground, class_="axis"),
        *_decades(histogram, bins, place, ground),
        None if not tolerance else _tolerance(place(math.log10(tolerance)), ground),
        viewBox=f"0 0 {PANEL_WIDTH:g} {PANEL_HEIGHT:g}",
        role="img",
        class_=f"panel {verdict.value}",
    )


def _decades(
    histogram: Histogram, bins: range, place: Callable[[float], float], ground: float
) -> list[Markup]:
    edges = histogram.log10_edges
    low, high = edges[bins.start], edges[bins.stop]
    every = max(1, math.ceil((high - low) / 5))
    return [
        join(
            tag("line", x1=place(decade), x2=place(decade), y1=ground, y2=ground + 3, class_="axis"),
            tag("text", f"1e{decade:d}", x=place(decade), y=ground + 14, text_anchor="middle", class_="tick"),
        )
        for decade in range(math.ceil(low), math.floor(high) + 1)
        if decade % every == 0 and place(decade) < PANEL_WIDTH - 8
    ]


def _tolerance(x: float, ground: float) -> Markup:
    return tag("line", x1=x, x2=x, y1=2.0, y2=ground, class_="margin")


def bar(share: float) -> Markup:
    """A bar beside a number in a table.

    Args:
        share: of its full length, 0 to 1.
    """
    return tag(
        "svg",
        tag("rect", width=max(1.0, 100 * share), height=8.0, class_="bar"),
        viewBox="0 0 100 8",
        preserveAspectRatio="none",
        aria_hidden="true",
        class_="meter",
    )
