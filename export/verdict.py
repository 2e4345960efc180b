"""What parity concludes about one artifact, and the numbers behind it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from export.formats import Tier


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


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputDelta:
    """How far one output of the candidate lies from the reference's.

    Attributes:
        output: its name.
        max_abs: largest |Δ| over all samples and elements.
        mean_abs: mean |Δ|.
        p999_abs: 99.9th percentile of |Δ|.
        tolerance: the largest |Δ| that the tier allows; None where the tier sets none.
    """

    output: str
    max_abs: float
    mean_abs: float
    p999_abs: float
    tolerance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyChange:
    """The paired comparison of two classifiers on the same labelled samples.

    Attributes:
        reference: accuracy of the reference, 0 to 1.
        candidate: accuracy of the candidate, 0 to 1.
        worse: samples that the reference gets right and the candidate wrong.
        better: the reverse.
        drop_points: reference minus candidate, in percentage points.
        drop_lower_points: one-sided 95 % Tango bound below.
        drop_upper_points: one-sided 95 % Tango bound above.
        margin_points: the drop that the tier allows; None where its tolerances on |Δ| decide alone.
        mcnemar_p: two-sided exact p of McNemar's test, for information.
    """

    reference: float
    candidate: float
    worse: int
    better: int
    drop_points: float
    drop_lower_points: float
    drop_upper_points: float
    margin_points: float | None
    mcnemar_p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A candidate against the reference on the same samples.

    Attributes:
        verdict: what follows.
        reason: one line that says why.
        tier: the tolerances applied.
        samples: how many were compared.
        agreement: share of samples with the same top-1 class, 0 to 1; None for outputs without classes.
        flips: indices of the samples whose top-1 class differs, the first hundred.
        deltas: one entry an output.
        accuracy: where labels exist.
        slope: least-squares slope of candidate on reference logits; None without logits.
    """

    verdict: Verdict
    reason: str
    tier: Tier
    samples: int
    agreement: float | None = None
    flips: tuple[int, ...] = ()
    deltas: tuple[OutputDelta, ...] = ()
    accuracy: AccuracyChange | None = None
    slope: float | None = None

    @property
    def max_abs_delta(self) -> float | None:
        """Largest |Δ| over all outputs."""
        return max((delta.max_abs for delta in self.deltas), default=None)
