"""The measures that a comparison holds: plain values, written as JSON."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """How |Δ| is spread.

    Attributes:
        zero: elements without any distance.
        log10_first: decimal logarithm of the first edge; the first bin takes all that is smaller too.
        log10_step: width of a bin in decades.
        counts: elements in each bin; the last bin takes all that is larger too.
    """

    zero: int
    log10_first: float
    log10_step: float
    counts: tuple[int, ...]

    @property
    def log10_edges(self) -> tuple[float, ...]:
        """Decimal logarithms of the bins' edges, one more than bins."""
        return tuple(self.log10_first + self.log10_step * edge for edge in range(len(self.counts) + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A sample that the two models answer differently.

    Attributes:
        index: of the sample.
        position: which of several labels it is about; None where a sample has one class.
        reference: the reference's class, or the text that it gives.
        candidate: the candidate's.
        label: the right one; None if unknown.
        reference_confidence: probability that the reference gives to its answer; None without scores.
        candidate_confidence: probability that the candidate gives to its own.
    """

    index: int
    position: int | None = None
    reference: int | str
    candidate: int | str
    label: int | None = None
    reference_confidence: float | None = None
    candidate_confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """How many samples get another answer than the reference's.

    Attributes:
        points: their share in percentage points.
        lower_points: one-sided 95 % Clopper-Pearson bound below.
        upper_points: one-sided 95 % Clopper-Pearson bound above.
        margin_points: what the tier allows; None where this is no gate.
        reference_answers: how many different answers the reference gives.
        samples_needed: estimate of the samples that would decide; None if decided, or if none would.
    """

    points: float
    lower_points: float
    upper_points: float
    margin_points: float | None = None
    reference_answers: int
    samples_needed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearFlips:
    """Samples with another answer that rounding does not explain: the reference is no tie between the two.

    Attributes:
        count: of them.
        lower_points: one-sided 95 % Clopper-Pearson bound of their share, below, in percentage points.
        drop_lower_points: one-sided 95 % Tango bound, below, of the accuracy drop that they make; None
            without labels.
    """

    count: int
    lower_points: float
    drop_lower_points: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDistance:
    """The column of an output that comes nearest to its own tolerance, or lies furthest beyond it.

    Attributes:
        column: of the last axis; None where there is only one.
        max_abs: largest |Δ| in it.
        tolerance: what the tier allows there.
    """

    column: int | None = None
    max_abs: float
    tolerance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyChange:
    """The paired comparison of two classifiers on the same labelled samples.

    With several labels a sample, right means that all of them are.

    Attributes:
        reference: accuracy of the reference, 0 to 1.
        reference_interval: its 95 % Wilson interval.
        candidate: accuracy of the candidate, 0 to 1.
        candidate_interval: its 95 % Wilson interval.
        constant: accuracy of the best constant answer, 0 to 1.
        worse: samples that the reference gets right and the candidate wrong.
        better: the reverse.
        drop_points: reference minus candidate, in percentage points.
        drop_lower_points: one-sided 95 % Tango bound below.
        drop_upper_points: one-sided 95 % Tango bound above.
        margin_points: the drop that the tier allows; None where its tolerances on |Δ| decide alone.
        mcnemar_p: two-sided exact p of McNemar's test, for information.
        samples_needed: estimate of the samples that would decide; None if decided, or if none would.
    """

    reference: float
    reference_interval: tuple[float, float]
    candidate: float
    candidate_interval: tuple[float, float]
    constant: float
    worse: int
    better: int
    drop_points: float
    drop_lower_points: float
    drop_upper_points: float
    margin_points: float | None = None
    mcnemar_p: float
    samples_needed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassChange:
    """What happened to one class, or to one of several labels.

    Attributes:
        index: of the class.
        samples: of it.
        worse: samples that the reference gets right and the candidate wrong.
        better: the reverse.
        mcnemar_p: two-sided exact p of McNemar's test.
        holm_p: the same, corrected for the number of classes.
    """

    index: int
    samples: int
    worse: int
    better: int
    mcnemar_p: float
    holm_p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricShift:
    """One metric of both models.

    Attributes:
        reference: the reference's.
        candidate: the candidate's.
        shift: candidate minus reference.
        interval: 95 % paired bootstrap interval of the shift.
    """

    reference: float
    candidate: float
    shift: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationShift:
    """Whether the probabilities still mean what they say.

    Attributes:
        ece: expected calibration error over 15 bins of equal width, 0 to 1.
        nll: mean negative log-likelihood of the labels, in nats.
        brier: mean squared distance of probabilities and labels.
    """

    ece: MetricShift
    nll: MetricShift
    brier: MetricShift


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorChange:
    """How much worse an output of values became.

    Attributes:
        metric: `rmse`, against targets; or, without targets that could show it, `relative distance`.
        column: of the last axis, which these numbers are about: the worst; None where there is only one.
        reference: root mean squared error of the reference; for the relative distance, the root mean square
            of the reference about the mean of each element.
        candidate: root mean squared error of the candidate; for the relative distance, against the reference.
        constant: root mean squared error of the best constant answer; None without targets.
        increase_percent: candidate / reference - 1, or for the relative distance candidate / reference, in
            per cent; None where the reference's is 0 and the candidate's is not.
        increase_lower_percent: one-sided 95 % bootstrap bound below, widened for the number of columns; None
            if it is not finite.
        increase_upper_percent: one-sided 95 % bootstrap bound above; None if it is not finite.
        limit_percent: what the tier allows; None where its tolerance on |Δ| decides alone.
        samples_needed: estimate of the samples that would decide; None if decided, or if none would.
    """

    metric: str
    column: int | None = None
    reference: float
    candidate: float
    constant: float | None = None
    increase_percent: float | None
    increase_lower_percent: float | None
    increase_upper_percent: float | None
    limit_percent: float | None = None
    samples_needed: int | None = None
