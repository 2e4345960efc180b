"""The tiers' limits, and the verdict that follows from an output's numbers. docs/parity.md explains them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from export.formats import Tier
from export.parity.error_change import FEWEST_SAMPLES
from export.verdict import (
    AccuracyChange,
    ClearFlips,
    Disagreement,
    ErrorChange,
    OutputComparison,
    OutputKind,
    Verdict,
)

STANDARD_ERRORS = 3.0  # by which a slope that is read from probabilities must lie beyond its limit
Decision = tuple[Verdict, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a tier allows.

    Attributes:
        delta: largest |Δ| of an output, times max(1, p99.9 |reference|).
        any_scale: outputs of numbers below 1 are held to their own scale instead of 1, as an addition.
        clear_flips: hold flips that rounding does not explain to the half tier's margins, as an addition.
        probability_delta: largest |Δ| of probabilities.
        exact_labels: outputs that are classes or texts may not differ at all.
        drop_points: accuracy drop in percentage points that the Tango bound must exclude.
        disagreement_points: without targets, share of samples with another answer that the Clopper-Pearson
            bound must exclude, in percentage points.
        error_percent: for values, relative increase of the error (without targets, relative distance) that
            the bootstrap bound must exclude, in per cent.
        slope: largest distance from 1 of the slope of candidate on reference logits.
        rounded_slope: the same where it is read from probabilities of 8 bits.
    """

    delta: float | None = None
    any_scale: bool = False
    clear_flips: bool = False
    probability_delta: float | None = None
    exact_labels: bool = False
    drop_points: float | None = None
    disagreement_points: float | None = None
    error_percent: float | None = None
    slope: float | None = None
    rounded_slope: float | None = None

    def with_margin(self, margin: float) -> "Limits":
        """The same with one margin, in per cent, in place of those of all three bounds."""
        return replace(self, drop_points=margin, disagreement_points=margin, error_percent=margin)


LIMITS: Mapping[Tier, Limits] = {
    Tier.LOSSLESS: Limits(
        delta=1e-4, any_scale=True, clear_flips=True, probability_delta=1e-5, exact_labels=True
    ),
    Tier.HALF: Limits(
        delta=1e-2, probability_delta=1e-2, drop_points=0.1, disagreement_points=0.5, error_percent=1.0
    ),
    Tier.QUANTIZED: Limits(
        drop_points=0.2, disagreement_points=0.5, error_percent=5.0, slope=0.01, rounded_slope=0.05
    ),
}


def decide(output: OutputComparison, limits: Limits, samples: int) -> Decision:
    """The verdict on one output, and why.

    Args:
        output: its numbers; the margins in them are gates, those that are None are not.
        limits: of the tier.
        samples: how many were compared.
    """
    if output.tolerance is not None and output.max_abs > output.tolerance:
        return Verdict.FAIL, f"{output.output}: |Δ| {output.max_abs:.2g} is over {output.tolerance:.2g}"
    worst = output.worst_column
    if worst is not None and worst.max_abs > worst.tolerance:
        where = "" if worst.column is None else f" in column {worst.column}"
        return Verdict.FAIL, f"{output.output}: |Δ| {worst.max_abs:.2g}{where} is over {worst.tolerance:.2g}"
    if output.clear_flips is not None and limits.clear_flips:
        reason = _broken_by_flips(output.clear_flips)
        if reason is not None:
            return Verdict.FAIL, f"{output.output}: {reason}"
    slope = _broken_slope(output)
    if slope is not None and output.kind is OutputKind.LOGITS:
        return Verdict.FAIL, f"{output.output}: {slope}"
    verdict, reason = _decide_gate(output, samples)
    if slope is not None and verdict is not Verdict.FAIL:
        verdict, reason = Verdict.FAIL, slope
    return verdict, f"{output.output}: {reason}"


def _broken_by_flips(flips: ClearFlips) -> str | None:
    half = LIMITS[Tier.HALF]
    share, drop = half.disagreement_points, half.drop_points
    if share is not None and flips.lower_points > share:
        return (
            f"at least {flips.lower_points:.3f} % of the answers differ from the reference's by more than "
            f"rounding (margin {share:g} points)"
        )
    if drop is not None and flips.drop_lower_points is not None and flips.drop_lower_points > drop:
        return f"the drop is at least {flips.drop_lower_points:.3f} points (margin {drop:g})"
    return None


def _broken_slope(output: OutputComparison) -> str | None:
    slope, limit = output.slope, output.slope_limit
    if slope is None or limit is None:
        return None
    error = output.slope_error or 0.0
    if abs(slope - 1) - STANDARD_ERRORS * error <= limit:
        return None
    shown = f"slope {slope:.4f} of the logits is not within 1 ± {limit:g}"
    return shown if output.slope_error is None else f"{shown}, with a standard error of {error:.2g}"


def _decide_gate(output: OutputComparison, samples: int) -> Decision:
    if output.accuracy is not None and output.accuracy.margin_points is not None:
        return _decide_drop(output.accuracy, output.accuracy.margin_points, samples)
    if output.disagreement is not None and output.disagreement.margin_points is not None:
        return _decide_disagreement(output.disagreement, output.disagreement.margin_points, samples)
    if output.error is not None and output.error.limit_percent is not None:
        return _decide_error(output.error, output.error.limit_percent, samples)
    if output.tolerance is None:
        return Verdict.FAIL, "no rule decides on it"
    if output.kind is OutputKind.LABELS:
        return Verdict.PASS, "every answer is the same"
    return Verdict.PASS, f"|Δ| {output.max_abs:.2g} is within {output.tolerance:.2g}"


def _decide_drop(change: AccuracyChange, margin: float, samples: int) -> Decision:
    if change.drop_lower_points > margin:
        return Verdict.FAIL, f"the drop is at least {change.drop_lower_points:.3f} points (margin {margin:g})"
    if change.drop_upper_points > margin:
        return Verdict.INCONCLUSIVE, (
            f"the drop may be {change.drop_lower_points:.3f} to {change.drop_upper_points:.3f} points "
            f"(margin {margin:g}): {_more_samples(samples, change.samples_needed)}"
        )
    if change.reference <= change.constant:
        return Verdict.INCONCLUSIVE, (
            f"the reference is right on {change.reference:.2%}, a constant answer on {change.constant:.2%}: "
            "these labels cannot show a drop"
        )
    return Verdict.PASS, f"the drop is at most {change.drop_upper_points:.3f} points (margin {margin:g})"


def _decide_disagreement(change: Disagreement, margin: float, samples: int) -> Decision:
    if change.lower_points > margin:
        return Verdict.FAIL, (
            f"at least {change.lower_points:.3f} % of the answers differ from the reference's "
            f"(margin {margin:g} points)"
        )
    if change.upper_points > margin:
        return Verdict.INCONCLUSIVE, (
            f"{change.lower_points:.3f} to {change.upper_points:.3f} % of the answers may differ from the "
            f"reference's (margin {margin:g} points): {_more_samples(samples, change.samples_needed)}"
        )
    if change.reference_answers == 1:
        return Verdict.INCONCLUSIVE, (
            "the reference gives every sample the same answer: these samples cannot show a difference"
        )
    return Verdict.PASS, (
        f"at most {change.upper_points:.3f} % of the answers differ from the reference's "
        f"(margin {margin:g} points)"
    )


def _decide_error(change: ErrorChange, limit: float, samples: int) -> Decision:
    what = "the error's increase" if change.metric == "rmse" else "the relative distance"
    if change.column is not None:
        what += f" in column {change.column}"
    if samples < FEWEST_SAMPLES:
        return Verdict.INCONCLUSIVE, f"{what}: {_more_samples(samples, change.samples_needed)}"
    if change.increase_percent is None:
        return _decide_without_scale(change)
    lower, upper = change.increase_lower_percent, change.increase_upper_percent
    if lower is None or lower > limit:
        shown = "infinite" if lower is None else f"at least {lower:.2f} %"
        return Verdict.FAIL, f"{what} is {shown} (limit {limit:g} %)"
    if upper is None or upper > limit:
        shown = "any number of" if upper is None else f"{upper:.2f}"
        return Verdict.INCONCLUSIVE, (
            f"{what} may be {lower:.2f} to {shown} % (limit {limit:g} %): "
            f"{_more_samples(samples, change.samples_needed)}"
        )
    if change.constant is not None and change.reference >= change.constant:
        return Verdict.INCONCLUSIVE, (
            f"the reference's error is {change.reference:.2g}, a constant answer's {change.constant:.2g}: "
            "these targets cannot show an increase"
        )
    return Verdict.PASS, f"{what} is at most {upper:.2f} % (limit {limit:g} %)"


def _decide_without_scale(change: ErrorChange) -> Decision:
    """Where the reference's error, or its spread, is 0, and nothing can be said in per cent of it."""
    if change.metric == "rmse":
        return Verdict.FAIL, f"the reference's error is 0, the candidate's {change.candidate:.2g}"
    return Verdict.INCONCLUSIVE, (
        f"the reference is constant, the candidate {change.candidate:.2g} away: these samples give no scale"
    )


def _more_samples(samples: int, needed: int | None) -> str:
    sample = f"{samples:,} sample{'s' if samples != 1 else ''} cannot decide"
    if needed is None:
        return f"{sample}, and no number would at these rates"
    return f"{sample}, about {_two_digits(needed):,} at these rates would"


def _two_digits(number: int) -> int:
    """A number rounded up to its first two digits."""
    unit: int = 10 ** max(0, len(str(number)) - 2)
    return -(-number // unit) * unit
