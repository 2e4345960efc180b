"""Is a candidate still the reference? Plain numpy on both models' answers to the same samples.

Non-finite values, a shape or dtype that differs, a missing output, targets that do not fit, or no samples at
all are failures. The tiers' rules are in `export.parity.rules`; docs/parity.md explains them.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.formats import Tier
from export.parity.calibration import kl_divergence, measure_calibration
from export.parity.classes import (
    list_flips,
    measure_accuracy,
    measure_classes,
    measure_clear_flips,
    measure_disagreement,
    read_answers,
)
from export.parity.distance import measure_distance, slope
from export.parity.error_change import measure_error
from export.parity.faults import find_fault
from export.parity.outputs import deciding_output, meaning, output_kind
from export.parity.rules import LIMITS, Limits, decide
from export.parity.slopes import probability_slope
from export.parity.targets import Targets, assign_targets
from export.parity.tolerances import whole_tolerance, worst_column
from export.verdict import Comparison, OutputComparison, OutputKind, TargetKind, Verdict, worst

__all__ = ["LIMITS", "Limits", "TargetKind", "Targets", "compare", "deciding_output", "meaning"]

Arrays = Mapping[str, NDArray[Any]]


def compare(
    reference: Arrays,
    candidate: Arrays,
    *,
    targets: Mapping[str, Targets],
    tier: Tier,
    margin_points: float | None = None,
) -> Comparison:
    """Compare a candidate's answers with the reference's and judge them by the tier's limits.

    Every output gets its own decision, and the worst decides. An output that holds the same head as one with
    targets, as probabilities beside their logits do, is held to the same targets.

    Args:
        reference: output name to (samples, ...) array.
        candidate: the same names; in the quantized tier one that repeats another's head may be missing.
        targets: by output name; an only entry under the name "" belongs to the deciding output. Empty:
            unlabelled data, only agreement with the reference is judged.
        tier: whose limits apply.
        margin_points: instead of the tier's margins: the accuracy drop and, without targets, the share of
            other answers, in percentage points; of values, the error's increase in per cent.

    Raises:
        ValueError: a margin that is no number from 0 to 100.
    """
    limits = LIMITS[tier]
    if margin_points is not None:
        if not 0 <= margin_points <= 100:  # noqa: PLR2004  (per cent; NaN is not either)
            raise ValueError(f"a margin of {margin_points}: give a number from 0 to 100")
        limits = limits.with_margin(margin_points)
    samples = min((len(array) for array in reference.values() if array.ndim), default=0)
    fault = find_fault(reference, candidate, tier)
    if fault is not None:
        return Comparison(verdict=Verdict.FAIL, reason=fault, tier=tier, samples=samples)
    owned, fault = assign_targets(reference, candidate, targets)
    if fault is not None:
        return Comparison(verdict=Verdict.FAIL, reason=fault, tier=tier, samples=samples)
    outputs = tuple(
        _compare_output(name, reference[name], candidate[name], owned.get(name), limits)
        for name in sorted(candidate)
    )
    draft = Comparison(
        verdict=worst(output.verdict for output in outputs),
        reason="",
        tier=tier,
        samples=samples,
        outputs=outputs,
    )
    return replace(draft, reason=_reason(draft))


def _reason(comparison: Comparison) -> str:
    deciding = comparison.deciding
    if deciding is None:
        return "there are no outputs to compare"
    if comparison.tier is Tier.LOSSLESS and comparison.verdict is Verdict.PASS and not _has_gate(deciding):
        return "every output is within its tolerance"
    return (
        deciding.reason
        if len(comparison.outputs) > 1
        else deciding.reason.removeprefix(f"{deciding.output}: ")
    )


def _has_gate(output: OutputComparison) -> bool:
    return any(
        margin is not None
        for margin in (
            output.accuracy and output.accuracy.margin_points,
            output.disagreement and output.disagreement.margin_points,
            output.error and output.error.limit_percent,
        )
    )


def _compare_output(
    name: str, reference: NDArray[Any], candidate: NDArray[Any], targets: Targets | None, limits: Limits
) -> OutputComparison:
    kind = output_kind(reference, targets.kind if targets else None)
    distance = measure_distance(reference, candidate, labels=kind is OutputKind.LABELS)
    output = OutputComparison(
        output=name,
        kind=kind,
        targets=targets.kind if targets else None,
        max_abs=distance.max_abs,
        mean_abs=distance.mean_abs,
        p999_abs=distance.p999_abs,
        tolerance=whole_tolerance(kind, reference, limits),
        worst_column=worst_column(reference, candidate, kind, targets.kind if targets else None, limits),
        histogram=distance.histogram,
    )
    output = _with_slope(output, reference, candidate, limits)
    if kind is OutputKind.VALUES:
        truth = targets.values.reshape(reference.shape) if targets else None
        output = replace(output, error=measure_error(reference, candidate, truth, limits.error_percent))
    else:
        output = _compare_classes(output, reference, candidate, targets, limits)
    verdict, reason = decide(output, limits, len(reference))
    return replace(output, verdict=verdict, reason=reason)


def _with_slope(
    output: OutputComparison, reference: NDArray[Any], candidate: NDArray[Any], limits: Limits
) -> OutputComparison:
    if output.kind is OutputKind.LOGITS:
        return replace(output, slope=slope(reference, candidate), slope_limit=limits.slope)
    if output.kind is not OutputKind.PROBABILITIES:
        return output
    rows = meaning(reference) is OutputKind.PROBABILITIES and output.targets is not TargetKind.MULTI_LABEL
    found = probability_slope(reference, candidate, rows=rows)
    if found is None:
        return output
    limit = limits.rounded_slope if found.rounded else limits.slope
    return replace(output, slope=found.slope, slope_error=found.error, slope_limit=limit)


def _compare_classes(
    output: OutputComparison,
    reference: NDArray[Any],
    candidate: NDArray[Any],
    targets: Targets | None,
    limits: Limits,
) -> OutputComparison:
    before, after = (
        read_answers(values, reference, output.kind, output.targets) for values in (reference, candidate)
    )
    several = output.targets is TargetKind.MULTI_LABEL
    labels = targets.values.reshape(len(reference), -1).astype(np.int64) if targets else None
    disagreement = measure_disagreement(before, after, None if targets else limits.disagreement_points)
    count = int((before.chosen != after.chosen).any(axis=1).sum())
    output = replace(
        output,
        agreement=1 - count / len(reference),
        disagreement=disagreement,
        flip_count=count,
        flips=list_flips(before, after, labels, several=several),
    )
    if output.kind is not OutputKind.LABELS:
        clear = measure_clear_flips(before, after, reference, labels)
        output = replace(output, clear_flips=clear)
    scored = before.probabilities is not None and after.probabilities is not None
    if before.probabilities is not None and after.probabilities is not None:
        divergence = kl_divergence(before.probabilities, after.probabilities, several=several)
        output = replace(output, kl_mean=float(divergence.mean()), kl_max=float(divergence.max()))
    if labels is None:
        return output
    return replace(
        output,
        accuracy=measure_accuracy(before, after, labels, limits.drop_points),
        per_class=measure_classes(before, after, labels, several=several),
        calibration=measure_calibration(before, after, labels, several=several) if scored else None,
    )
