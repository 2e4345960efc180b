"""The numbers of a comparison as people read them; shared by the page and the terminal's table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from export.formats import FORMATS, Family, Format, Tier
from export.latency import LARGE
from export.manifest import Artifact
from export.verdict import OutputComparison, OutputKind

NOTHING = "-"
NOTABLY_SLOWER = 1.05  # below, two medians on the same machine are equals
RELATIVE_DISTANCE = "relative distance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """How much worse an output may have become, in one form for drops, other answers and errors.

    Attributes:
        what: it bounds: `drop`, `other answers`, `increase` or `distance`.
        unit: of its numbers.
        point: as measured; None where it is no number.
        lower: one-sided 95 % bound below.
        upper: one-sided 95 % bound above.
        margin: what the tier allows; None where it does not decide.
    """

    what: str
    unit: str
    point: float | None
    lower: float | None
    upper: float | None
    margin: float | None


def bound_of(output: OutputComparison) -> Bound | None:
    """What bounds the damage to an output; None where nothing was counted."""
    if (change := output.accuracy) is not None:
        return Bound(
            what="drop",
            unit="pp",
            point=change.drop_points,
            lower=change.drop_lower_points,
            upper=change.drop_upper_points,
            margin=change.margin_points,
        )
    if (other := output.disagreement) is not None:
        return Bound(
            what="other answers",
            unit="%",
            point=other.points,
            lower=other.lower_points,
            upper=other.upper_points,
            margin=other.margin_points,
        )
    if (error := output.error) is not None:
        return Bound(
            what="distance" if error.metric == RELATIVE_DISTANCE else "increase",
            unit="%",
            point=error.increase_percent,
            lower=error.increase_lower_percent,
            upper=error.increase_upper_percent,
            margin=error.limit_percent,
        )
    return None


def outputs_of(artifact: Artifact) -> dict[str, OutputComparison]:
    """An artifact's outputs by name; none if it was never compared."""
    return {each.output: each for each in artifact.comparison.outputs} if artifact.comparison else {}


def heads(artifacts: Sequence[Artifact]) -> tuple[str, ...]:
    """The outputs to show: those with accuracies first; of logits and their probabilities only the former."""
    found: dict[str, list[OutputComparison]] = {}
    for artifact in artifacts:
        for name, output in outputs_of(artifact).items():
            found.setdefault(name, []).append(output)
    ranked = sorted(
        found,
        key=lambda name: (found[name][0].accuracy is None, found[name][0].kind is not OutputKind.LOGITS),
    )
    chosen: list[str] = []
    for name in ranked:
        repeats = any(_same_head(found[other][0], found[name][0]) for other in chosen)
        if bound_of(found[name][0]) is not None and not repeats:
            chosen.append(name)
    return tuple(chosen)


def pairs_of(artifact: Artifact, main: Sequence[str]) -> list[tuple[Artifact, OutputComparison | None]]:
    """An artifact with each of these outputs that it has; with none if it has none of them."""
    known = outputs_of(artifact)
    return [(artifact, known[name]) for name in main if name in known] or [(artifact, None)]


def max_delta(artifact: Artifact, output: OutputComparison | None, main: Sequence[str]) -> float | None:
    """The largest |Δ| of an artifact, or of one output where several are told apart."""
    if len(main) > 1 and output is not None:
        return output.max_abs
    return artifact.comparison.max_abs_delta if artifact.comparison else None


def _same_head(logits: OutputComparison, probabilities: OutputComparison) -> bool:
    """Whether two outputs seem to be scores of one head: what the reference does is the same in both."""
    if (logits.kind, probabilities.kind) != (OutputKind.LOGITS, OutputKind.PROBABILITIES):
        return False
    if logits.accuracy and probabilities.accuracy:
        one, other = logits.accuracy, probabilities.accuracy
        return (one.reference, one.constant) == (other.reference, other.constant)
    if logits.accuracy or probabilities.accuracy or not logits.disagreement or not probabilities.disagreement:
        return False
    return logits.disagreement.reference_answers == probabilities.disagreement.reference_answers


def score_text(output: OutputComparison | None) -> str:
    """Accuracy of a candidate, or its error."""
    if output is None:
        return NOTHING
    if output.accuracy is not None:
        return f"{output.accuracy.candidate:.2%}"
    if output.error is not None and output.error.metric != RELATIVE_DISTANCE:
        return f"{output.error.candidate:.4g}"
    return NOTHING


def score_name(outputs: Iterable[OutputComparison]) -> str:
    """What `score_text` gives for these."""
    names = ["accuracy" if each.accuracy else "error" for each in outputs if score_text(each) != NOTHING]
    return " or ".join(dict.fromkeys(names)) or "accuracy"


def bound_name(outputs: Iterable[OutputComparison]) -> str:
    """What `at_most_text` gives for these."""
    names = dict.fromkeys(bound.what for each in outputs if (bound := bound_of(each)) is not None)
    return next(iter(names)) if len(names) == 1 else "change"


def at_most_text(bound: Bound | None) -> str:
    """Its upper end."""
    if bound is None:
        return NOTHING
    return "any number" if bound.upper is None else f"{number(bound.upper)} {bound.unit}"


def margin_text(bound: Bound | None) -> str:
    """What it may be."""
    return NOTHING if bound is None or bound.margin is None else f"{bound.margin:g} {bound.unit}"


def number(value: float) -> str:
    """A share or a difference with three decimals, a very large one in powers of ten."""
    if abs(value) >= 1e5:  # noqa: PLR2004  (longer than its scientific form)
        return f"{value:.2e}"
    return f"{value:z.3f}" if abs(value) < 1000 else f"{value:,.1f}"  # noqa: PLR2004


def agreement_text(output: OutputComparison | None) -> str:
    """Share of samples with the reference's answer; cut, so that 100% means all of them."""
    if output is None or output.agreement is None:
        return NOTHING
    text = f"{output.agreement:.2%}"
    return "99.99%" if output.flip_count and text == "100.00%" else text


def delta_text(value: float | None) -> str:
    """A distance in two digits."""
    if value is None:
        return NOTHING
    return "0" if value == 0 else f"{value:.2g}" if 1e-3 <= value < 100 else f"{value:.1e}"  # noqa: PLR2004


def bytes_text(artifact: Artifact) -> str:
    """Size in bytes."""
    return f"{artifact.bytes:,}" if artifact.bytes else NOTHING


def one_text(artifact: Artifact) -> str:
    """Milliseconds for one sample."""
    return milliseconds(artifact.latency.one_ms) if artifact.latency else NOTHING


def batch_text(artifact: Artifact) -> str:
    """Milliseconds for a batch."""
    return milliseconds(artifact.latency.batch_ms) if artifact.latency else NOTHING


def milliseconds(value: float) -> str:
    """A time with three decimals, one digit where those would be zeros."""
    return f"{value:,.3f}" if value >= 0.001 else f"{value:.1g}"  # noqa: PLR2004  (the last decimal)


def float_sibling(artifact: Artifact, artifacts: Iterable[Artifact]) -> Artifact | None:
    """The single-precision artifact that the same runtime runs; None for itself, or if there is none."""
    family = FORMATS[artifact.format].family
    if family is Family.SAVED_MODEL or artifact.format.value == family.value:
        return None
    return next((each for each in artifacts if each.format is Format(family.value)), None)


def slower_lines(artifacts: Sequence[Artifact]) -> list[str]:
    """A sentence for each artifact that is slower than the single-precision one of its runtime."""
    lines = []
    for artifact in artifacts:
        sibling = float_sibling(artifact, artifacts)
        if sibling is None or sibling.latency is None or artifact.latency is None:
            continue
        mine, other, how = artifact.latency.one_ms, sibling.latency.one_ms, "a sample"
        if mine <= other * NOTABLY_SLOWER:
            mine, other = artifact.latency.batch_ms / LARGE, sibling.latency.batch_ms / LARGE
            how = f"a sample in batches of {LARGE}"
        if mine > other * NOTABLY_SLOWER:
            smaller = "quantized" if FORMATS[artifact.format].tier is Tier.QUANTIZED else "half precision"
            lines.append(
                f"{artifact.format} is slower than {sibling.format} on this CPU: "
                f"{milliseconds(mine)} ms against {milliseconds(other)} ms {how} "
                f"({smaller} is not always faster: measure on the device)"
            )
    return lines


def shortened(text: str, limit: int = 60) -> str:
    """A text that others chose, cut to what a table can hold."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def class_name(index: int | str, labels: Sequence[str]) -> str:
    """What a class is called; its number where it has no name."""
    if isinstance(index, str):
        return shortened(index)
    return shortened(labels[index]) if 0 <= index < len(labels) else str(index)
