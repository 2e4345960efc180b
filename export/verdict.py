"""What parity concludes about one artifact, with the numbers behind it: plain values, written as JSON."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from export.formats import Tier
from export.measures import (
    AccuracyChange,
    CalibrationShift,
    ClassChange,
    ClearFlips,
    ColumnDistance,
    Disagreement,
    ErrorChange,
    Flip,
    Histogram,
    MetricShift,
)

__all__ = [
    "AccuracyChange",
    "CalibrationShift",
    "ClassChange",
    "ClearFlips",
    "ColumnDistance",
    "Comparison",
    "Disagreement",
    "ErrorChange",
    "Flip",
    "Histogram",
    "MetricShift",
    "OutputComparison",
    "OutputKind",
    "TargetKind",
    "Verdict",
    "worst",
]


class Verdict(StrEnum):
    """What the data say about an artifact."""

    PASS = "pass"  # noqa: S105  (a verdict, no password)
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    REFUSED = "refused"

    @property
    def exit_code(self) -> int:
        """0 pass, 1 fail or refused, 3 inconclusive."""
        return {Verdict.PASS: 0, Verdict.INCONCLUSIVE: 3}.get(self, 1)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict on a whole: a failure decides, then an inconclusive one; nothing at all is a failure."""
    order = (Verdict.FAIL, Verdict.REFUSED, Verdict.INCONCLUSIVE, Verdict.PASS)
    return min(verdicts, key=order.index, default=Verdict.FAIL)


class TargetKind(StrEnum):
    """What the data say about a sample."""

    CLASS = "class"
    MULTI_LABEL = "multi_label"
    VALUES = "values"


class OutputKind(StrEnum):
    """What an output's numbers are: scores of classes, their probabilities, values, or the answer itself."""

    LOGITS = "logits"
    PROBABILITIES = "probabilities"
    VALUES = "values"
    LABELS = "labels"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputComparison:
    """One output of the candidate against the reference's.

    Attributes:
        output: its name.
        kind: what its numbers are.
        targets: what the data say about it; None if nothing.
        verdict: what follows for this output.
        reason: one line that says why.
        max_abs: largest |Δ| over all samples and elements; for labels 1 where they differ.
        mean_abs: mean |Δ|.
        p999_abs: 99.9th percentile of |Δ|.
        tolerance: the largest |Δ| that the tier allows; None where the tier sets none.
        worst_column: of an output whose columns have tolerances of their own; None for others.
        histogram: of |Δ|.
        agreement: share of samples with the reference's answer, 0 to 1; None for values.
        disagreement: the rest, with bounds; None for values.
        flip_count: samples with another answer.
        flips: the first hundred.
        clear_flips: those that rounding does not explain; None without class scores.
        slope: slope of candidate on reference logits, for probabilities of those behind them; None without
            either, if they are constant, or if too few are uncertain.
        slope_error: standard error of the slope of probabilities; None for logits.
        slope_limit: largest distance of the slope from 1 that the tier allows; None where it sets none.
        kl_mean: mean over samples of KL(reference || candidate), in nats; None without class scores.
        kl_max: the largest of them.
        accuracy: where classes or labels are known.
        per_class: classes whose answers changed, at most a hundred, those with the smallest p.
        calibration: where classes are known and scores given.
        error: for values.
    """

    output: str
    kind: OutputKind
    targets: TargetKind | None = None
    verdict: Verdict = Verdict.FAIL
    reason: str = ""
    max_abs: float
    mean_abs: float
    p999_abs: float
    tolerance: float | None = None
    worst_column: ColumnDistance | None = None
    histogram: Histogram
    agreement: float | None = None
    disagreement: Disagreement | None = None
    flip_count: int = 0
    flips: tuple[Flip, ...] = ()
    clear_flips: ClearFlips | None = None
    slope: float | None = None
    slope_error: float | None = None
    slope_limit: float | None = None
    kl_mean: float | None = None
    kl_max: float | None = None
    accuracy: AccuracyChange | None = None
    per_class: tuple[ClassChange, ...] = ()
    calibration: CalibrationShift | None = None
    error: ErrorChange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A candidate against the reference on the same samples.

    Attributes:
        verdict: what follows: the worst of the outputs' verdicts.
        reason: one line that says why.
        tier: the tolerances applied.
        samples: how many were compared.
        outputs: one entry an output; none if the answers cannot be compared at all.
    """

    verdict: Verdict
    reason: str
    tier: Tier
    samples: int
    outputs: tuple[OutputComparison, ...] = ()

    @property
    def deciding(self) -> OutputComparison | None:
        """The output with the worst verdict; of equals, one with targets, then logits, then the first."""
        if not self.outputs:
            return None
        decision = worst(output.verdict for output in self.outputs)
        return min(
            (output for output in self.outputs if output.verdict is decision),
            key=lambda output: (output.targets is None, output.kind is not OutputKind.LOGITS),
        )

    @property
    def max_abs_delta(self) -> float | None:
        """Largest |Δ| over all outputs."""
        return max((output.max_abs for output in self.outputs), default=None)
