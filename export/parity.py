"""Is a candidate still the reference? Plain numpy on both models' answers to the same samples.

Non-finite values, a shape or dtype that differs, a missing output, or no samples at all are failures. The
tiers' rules and their numbers are in `LIMITS`; docs/parity.md explains them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.formats import Tier
from export.statistics import mcnemar_exact, tango_bounds
from export.verdict import AccuracyChange, Comparison, OutputDelta, Verdict

LISTED_FLIPS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a tier allows.

    Attributes:
        delta: largest |Δ| of an output, times max(1, p99.9 |reference|).
        probability_delta: largest |Δ| of probabilities.
        margin_points: accuracy drop in percentage points that the Tango bound must exclude.
        slope: largest distance from 1 of the slope of candidate on reference logits.
    """

    delta: float | None = None
    probability_delta: float | None = None
    margin_points: float | None = None
    slope: float | None = None


LIMITS: Mapping[Tier, Limits] = {
    Tier.LOSSLESS: Limits(delta=1e-4, probability_delta=1e-5),
    Tier.HALF: Limits(delta=1e-2, probability_delta=1e-2, margin_points=0.1),
    Tier.QUANTIZED: Limits(margin_points=0.2, slope=0.01),
}


def meaning(values: NDArray[Any]) -> str:
    """What an output is: `probabilities` (rows sum to 1), `logits` (another score a class) or `values`."""
    if values.ndim != 2 or values.shape[1] < 2 or values.dtype.kind != "f" or len(values) == 0:  # noqa: PLR2004
        return "values"
    if values.min() >= 0 and np.allclose(values.sum(axis=1), 1, atol=1e-3):
        return "probabilities"
    return "logits"


def compare(
    reference: Mapping[str, NDArray[Any]],
    candidate: Mapping[str, NDArray[Any]],
    *,
    labels: NDArray[np.int64] | None,
    tier: Tier,
    margin_points: float | None = None,
) -> Comparison:
    """Compare a candidate's answers with the reference's and judge them by the tier's limits.

    Args:
        reference: output name to (samples, ...) array.
        candidate: the same names; in the quantized tier some may be missing.
        labels: (samples,) class indices, if known.
        tier: whose limits apply.
        margin_points: instead of the tier's margin.
    """
    limits = LIMITS[tier]
    if margin_points is not None:
        limits = replace(limits, margin_points=margin_points)
    samples = min((len(array) for array in reference.values()), default=0)
    broken = _structural_fault(reference, candidate, labels, samples, tier)
    if broken is not None:
        return Comparison(verdict=Verdict.FAIL, reason=broken, tier=tier, samples=samples)
    deltas = tuple(_delta(name, reference[name], candidate[name], limits) for name in sorted(candidate))
    draft = Comparison(verdict=Verdict.PASS, reason="", tier=tier, samples=samples, deltas=deltas)
    deciding = deciding_output(reference, candidate)
    if deciding is not None:
        draft = _add_classes(draft, reference[deciding], candidate[deciding], labels, limits)
    verdict, reason = _judge(draft, limits)
    return replace(draft, verdict=verdict, reason=reason)


def _structural_fault(
    reference: Mapping[str, NDArray[Any]],
    candidate: Mapping[str, NDArray[Any]],
    labels: NDArray[np.int64] | None,
    samples: int,
    tier: Tier,
) -> str | None:
    if samples == 0:
        return "there are no samples to compare"
    if labels is not None and labels.shape != (samples,):
        return f"the labels have shape {labels.shape}, not one class for each of {samples} samples"
    if not candidate or (tier is not Tier.QUANTIZED and set(reference) - set(candidate)):
        return f"outputs are missing: {', '.join(sorted(set(reference) - set(candidate)))}"
    faults = (_output_fault(name, reference.get(name), values) for name, values in candidate.items())
    return next((fault for fault in faults if fault is not None), None)


def _output_fault(name: str, expected: NDArray[Any] | None, values: NDArray[Any]) -> str | None:
    if expected is None:
        return f"output {name} is not one of the reference's"
    if values.shape != expected.shape:
        return f"output {name} has shape {values.shape}, the reference {expected.shape}"
    if values.dtype != expected.dtype:
        return f"output {name} is {values.dtype}, the reference {expected.dtype}"
    for who, array in (("the reference", expected), ("the candidate", values)):
        if not np.isfinite(array).all():
            return f"output {name} of {who} holds NaN or Inf"
    return None


def _delta(name: str, reference: NDArray[Any], candidate: NDArray[Any], limits: Limits) -> OutputDelta:
    expected = reference.astype(np.float64)
    distance = np.abs(candidate.astype(np.float64) - expected)
    tolerance = None
    if meaning(reference) == "probabilities":
        tolerance = limits.probability_delta
    elif limits.delta is not None:
        tolerance = limits.delta * max(1.0, float(np.quantile(np.abs(expected), 0.999)))
    return OutputDelta(
        output=name,
        max_abs=float(distance.max(initial=0.0)),
        mean_abs=float(distance.mean()),
        p999_abs=float(np.quantile(distance, 0.999)),
        tolerance=tolerance,
    )


def deciding_output(
    reference: Mapping[str, NDArray[Any]], candidate: Mapping[str, NDArray[Any]]
) -> str | None:
    """The output whose largest entry is the class: logits where there are any, else probabilities."""
    kinds = {name: meaning(reference[name]) for name in sorted(candidate)}
    scores = [name for kind in ("logits", "probabilities") for name in kinds if kinds[name] == kind]
    return scores[0] if scores else None


def _add_classes(
    draft: Comparison,
    reference: NDArray[Any],
    candidate: NDArray[Any],
    labels: NDArray[np.int64] | None,
    limits: Limits,
) -> Comparison:
    expected, got = reference.argmax(axis=1), candidate.argmax(axis=1)
    flips = np.flatnonzero(expected != got)
    return replace(
        draft,
        agreement=1 - len(flips) / draft.samples,
        flips=tuple(int(index) for index in flips[:LISTED_FLIPS]),
        slope=_slope(reference, candidate) if meaning(reference) == "logits" else None,
        accuracy=None if labels is None else _accuracy_change(expected == labels, got == labels, limits),
    )


def _slope(reference: NDArray[Any], candidate: NDArray[Any]) -> float:
    """Least-squares slope of candidate on reference; a scaled kernel shows here before it flips a class."""
    x, y = reference.astype(np.float64).ravel(), candidate.astype(np.float64).ravel()
    centred = x - x.mean()
    spread = float(centred @ centred)
    return float(centred @ y / spread) if spread > 0 else 1.0


def _accuracy_change(
    reference_right: NDArray[np.bool_], candidate_right: NDArray[np.bool_], limits: Limits
) -> AccuracyChange:
    samples = len(reference_right)
    worse = int((reference_right & ~candidate_right).sum())
    better = int((~reference_right & candidate_right).sum())
    lower, upper = tango_bounds(worse, better, samples)
    return AccuracyChange(
        reference=float(reference_right.mean()),
        candidate=float(candidate_right.mean()),
        worse=worse,
        better=better,
        drop_points=100 * (worse - better) / samples,
        drop_lower_points=100 * lower,
        drop_upper_points=100 * upper,
        margin_points=limits.margin_points,
        mcnemar_p=mcnemar_exact(worse, better),
    )


def _judge(draft: Comparison, limits: Limits) -> tuple[Verdict, str]:
    for delta in draft.deltas:
        if delta.tolerance is not None and delta.max_abs > delta.tolerance:
            return Verdict.FAIL, f"{delta.output}: |Δ| {delta.max_abs:.2g} is over {delta.tolerance:.2g}"
    if limits.slope is not None and draft.slope is not None and abs(draft.slope - 1) > limits.slope:
        return Verdict.FAIL, f"slope {draft.slope:.4f} of the logits is not within 1 ± {limits.slope:g}"
    if limits.margin_points is None:
        return Verdict.PASS, "every output is within its tolerance"
    return _judge_drop(draft, limits.margin_points)


def _judge_drop(draft: Comparison, margin: float) -> tuple[Verdict, str]:
    change = draft.accuracy
    if change is None:
        return Verdict.INCONCLUSIVE, "without class labels the accuracy cannot be compared"
    if change.drop_upper_points <= margin:
        return Verdict.PASS, f"the drop is at most {change.drop_upper_points:.3f} points (margin {margin:g})"
    if change.drop_lower_points > margin:
        return Verdict.FAIL, f"the drop is at least {change.drop_lower_points:.3f} points (margin {margin:g})"
    return Verdict.INCONCLUSIVE, (
        f"the drop may be {change.drop_lower_points:.3f} to {change.drop_upper_points:.3f} points "
        f"(margin {margin:g}): {draft.samples:,} samples cannot decide"
    )
