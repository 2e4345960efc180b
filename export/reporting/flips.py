"""The samples that an artifact answers differently: each once, with the answers of all whom it divides."""

from collections.abc import Sequence
from dataclasses import dataclass

from export.manifest import Artifact
from export.reporting.markup import Markup, join, tag
from export.reporting.numbers import class_name, heads, outputs_of
from export.reporting.pictures import Pictures
from export.reporting.report import Report
from export.runner import Feed
from export.verdict import Flip

EACH = 24  # samples of one artifact
ALL = 96  # samples in all


@dataclass(frozen=True, slots=True)
class _Other:
    """One artifact's other answer."""

    artifact: str
    output: str
    flip: Flip


def flips_section(report: Report, samples: Feed) -> Markup | None:
    """Flipped samples as cards; None if no answer differs."""
    main = heads(report.artifacts)
    found, total = _gather(report.artifacts, main)
    if not found:
        return None
    chosen = sorted(sorted(found, key=lambda index: (-len(found[index]), index))[:ALL])
    pictures = Pictures.of(samples, chosen)
    several = len(main) > 1
    cards = [
        tag(
            "figure",
            pictures.show(index),
            tag("figcaption", _caption(index, found[index], report.labels, several=several)),
            class_="card",
        )
        for index in chosen
    ]
    note = (
        f"{len(chosen):,} of the {total:,} samples listed here and in report.json are shown."
        if total > len(chosen)
        else None
    )
    return join(
        _counts(report.artifacts, main),
        tag("p", note, class_="note") if note else None,
        tag("div", *cards, class_="cards"),
    )


def _gather(artifacts: Sequence[Artifact], main: Sequence[str]) -> tuple[dict[int, list[_Other]], int]:
    """The first samples of each artifact with the answers to them, and how many samples there are in all."""
    listed: set[int] = set()
    wanted: set[int] = set()
    others: dict[int, list[_Other]] = {}
    for artifact in artifacts:
        own: list[int] = []
        for head in main:
            output = outputs_of(artifact).get(head)
            for flip in output.flips if output else ():
                others.setdefault(flip.index, []).append(_Other(artifact.format, head, flip))
                own.append(flip.index)
        listed.update(own)
        wanted.update(sorted(set(own))[:EACH])
    return {index: others[index] for index in wanted}, len(listed)


def _counts(artifacts: Sequence[Artifact], main: Sequence[str]) -> Markup:
    """How many samples each artifact answers differently, and what that did."""
    items = []
    for artifact in artifacts:
        for head in main:
            output = outputs_of(artifact).get(head)
            if output is None or not output.flip_count:
                continue
            text = f" {output.flip_count:,} flipped" + (f" in {head}" if len(main) > 1 else "")
            if output.accuracy is not None:
                text += f": {output.accuracy.worse:,} now wrong, {output.accuracy.better:,} now right"
            items.append(tag("li", tag("b", artifact.format), text))
    return tag("ul", *items, class_="plain")


def _caption(index: int, others: Sequence[_Other], labels: Sequence[str], *, several: bool) -> Markup:
    blocks = []
    questions = dict.fromkeys((other.output, other.flip.position) for other in others)
    for output, position in questions:
        answers = [other for other in others if (other.output, other.flip.position) == (output, position)]
        flip = answers[0].flip
        about = [output] if several else []
        if position is not None:
            about.append(class_name(position, labels))
        blocks += [
            tag("div", " · ".join(about), class_="about") if about else None,
            None if flip.label is None else _line("label", _answer(flip, flip.label, labels), None, None),
            _line(
                "reference",
                _answer(flip, flip.reference, labels),
                flip.reference_confidence,
                _right(flip, flip.reference),
            ),
            *(
                _line(
                    other.artifact,
                    _answer(other.flip, other.flip.candidate, labels),
                    other.flip.candidate_confidence,
                    _right(other.flip, other.flip.candidate),
                )
                for other in answers
            ),
        ]
    return join(tag("div", f"sample {index:,}", class_="index"), *blocks)


def _answer(flip: Flip, value: int | str, labels: Sequence[str]) -> str:
    if flip.position is not None:
        return "yes" if value else "no"
    return class_name(value, labels)


def _right(flip: Flip, value: int | str) -> bool | None:
    return None if flip.label is None else value == flip.label


def _line(who: str, answer: str, confidence: float | None, right: bool | None) -> Markup:
    mark = None
    if right is not None:
        mark = tag("span", "✓" if right else "✗", title="right" if right else "wrong")
    return tag(
        "div",
        tag("span", who, class_="who"),
        tag("span", tag("b", answer), " ", mark),
        tag("span", "" if confidence is None else f"{confidence:.1%}", class_="num"),
        class_="answer",
    )
