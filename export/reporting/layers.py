"""The report's plot of an artifact layer by layer."""

from export.explaining.explanation import CEILING_DB, Explanation
from export.formats import Format
from export.reporting.figures import Interval, interval_plot
from export.reporting.markup import Markup, join, tag
from export.reporting.numbers import shortened
from export.verdict import Verdict

ROWS = 200
LOWEST_DB, HIGHEST_DB = -10.0, 160.0


def layers_plot(kind: Format, explanation: Explanation) -> Markup:
    """What was found, in words and as one row a layer."""
    rows = [
        Interval(
            label=shortened(layer.layer),
            text=f"{layer.snr_db:.1f} dB" if layer.snr_db < CEILING_DB else "equal",
            verdict=Verdict.FAIL if layer.snr_db < explanation.floor_db else Verdict.PASS,
            point=layer.snr_db,
            lower=layer.snr_db,
            upper=layer.snr_db,
        )
        for layer in explanation.layers[:ROWS]
    ]
    plot = interval_plot(
        f"{kind}, signal-to-noise ratio by layer: {'; '.join(f'{row.label} {row.text}' for row in rows)}",
        rows,
        axis="signal-to-noise ratio, dB",
        texts="ratio",
        line=explanation.floor_db,
        limits=(LOWEST_DB, HIGHEST_DB),
    )
    return tag(
        "figure",
        tag("h3", str(kind)),
        tag("p", explanation.summary),
        tag("div", plot, class_="scroll") if rows else None,
        _unmatched(explanation),
    )


def _unmatched(explanation: Explanation) -> Markup | None:
    if not explanation.unmatched:
        return None
    names = ", ".join(shortened(name) for name in explanation.unmatched[:ROWS])
    return tag("p", join("fused or computed otherwise: ", names), class_="note")
