"""The report as one self-contained page: no scripts, no fonts, nothing fetched, all foreign text escaped."""

from collections.abc import Iterator
from pathlib import Path

from export.manifest import TensorInfo
from export.reporting.changes import calibration_table, classes_table, errors_table, measured
from export.reporting.flips import flips_section
from export.reporting.layers import layers_plot
from export.reporting.markup import Markup, Piece, join, tag
from export.reporting.numbers import heads, shortened
from export.reporting.plots import accuracy_plot, changes_plot, histogram_grid
from export.reporting.report import Report
from export.reporting.tables import cost_table, outputs_table, unshipped, verdict_chip
from export.reporting.verdicts import MOST_HEADS, verdict_table
from export.reporting.words import conclusion, consequence, published, summary, title
from export.runner import Feed

STYLE = Path(__file__).with_name("report.css")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"  # a browser's second lock on the page


def render_page(report: Report, samples: Feed) -> str:
    """The page; the same report and samples give the same text.

    Args:
        report: what to say.
        samples: the test inputs by name, for those that are answered differently; may be empty.
    """
    main = tag(
        "main", _header(report), *(_section(*section) for section in _sections(report, samples) if section[2])
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name_="color-scheme", content="light dark"),
        tag("title", f"Parity of {title(report)}: {report.verdict.value}"),
        tag("style", Markup(STYLE.read_text(encoding="utf-8"))),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', main), lang='en')}\n"


def _section(heading: str, note: str, content: Piece) -> Markup:
    return tag("section", tag("h2", heading), tag("p", note, class_="note") if note else None, content)


def _header(report: Report) -> Markup:
    reference = report.reference
    facts = [
        ("compared with", join(shortened(reference.name, 200), _sha(reference.sha256))),
        (
            "on",
            join(
                f"{shortened(report.dataset.name, 200)}, {report.dataset.samples:,} test samples",
                _sha(report.dataset.sha256),
            ),
        ),
        ("run by", report.device),
        ("code of its own", _sha(reference.custom_sha256) if reference.custom_sha256 else None),
        ("made", report.created),
    ]
    return tag(
        "header",
        tag("p", "Parity report", class_="kicker"),
        tag("h1", shortened(title(report), 200)),
        tag(
            "div",
            tag("p", tag("strong", conclusion(report)), " ", verdict_chip(report.verdict)),
            tag("p", summary(report)),
            tag("p", consequence(report)),
            class_=f"banner {report.verdict.value}",
        ),
        _facts(facts),
    )


def _facts(facts: list[tuple[str, Piece]]) -> Markup:
    pairs = [join(tag("dt", name), tag("dd", value)) for name, value in facts if value]
    return tag("dl", *pairs)


def _sha(sha256: str) -> Markup:
    return tag("code", sha256, class_="sha", title="SHA-256")


def _sections(report: Report, samples: Feed) -> Iterator[tuple[str, str, Piece]]:
    """Heading, note and content of each section; those without content are left out."""
    artifacts, explanations = report.artifacts, report.explanations.items()
    yield "Verdicts", "", verdict_table(report) if artifacts else None
    yield "Not shipped" if published(report) else "What failed", "", unshipped(report)
    main = heads(artifacts)
    for head in main[:MOST_HEADS]:
        suffix = f": output {shortened(head)}" if len(main) > 1 else ""
        found = measured(artifacts, head)
        plots = [changes_plot(artifacts, head), accuracy_plot(artifacts, head)]
        yield f"Change against the reference{suffix}", CHANGE_NOTE, join(*plots) or None
        yield f"Errors{suffix}", ERROR_NOTE, errors_table(found)
        yield f"Changes by class{suffix}", CLASS_NOTE, classes_table(found, report.labels)
        yield f"Calibration{suffix}", CALIBRATION_NOTE, calibration_table(found)
    yield "Flipped samples", "", flips_section(report, samples)
    yield "Layer by layer", LAYERS_NOTE, join(*(layers_plot(*each) for each in explanations)) or None
    yield "Distances", DISTANCE_NOTE, histogram_grid(artifacts)
    yield "Size and latency", _cost_note(report), cost_table(report)
    yield "Every output", "", outputs_table(report)
    yield "Environment", "", _environment(report)


CHANGE_NOTE = (
    "Squares are what was measured, lines what the samples leave possible, dashed ticks the margins: to "
    "pass, a line must end before its tick. Without a tick, |Δ| alone decides. Colours are the artifacts' "
    "verdicts, which bear on other limits too."
)
ERROR_NOTE = "Bounds are one-sided 95 % bootstrap bounds, by sample."
CLASS_NOTE = (
    "Samples that became wrong (\N{MINUS SIGN}) and right (+), with McNemar's exact p after Holm's "
    "correction for the number of classes. For information, never a gate; bold below 0.05."
)
CALIBRATION_NOTE = (
    "Expected calibration error, mean negative log-likelihood and Brier score, with 95 % paired bootstrap "
    "intervals of their shifts. For information, never a gate."
)
LAYERS_NOTE = (
    "Signal-to-noise ratio of every layer against the reference's, in decibels: each 20 dB less is ten times "
    "the noise. Layers that a format fuses with others are left out. The line is the tier's floor."
)
DISTANCE_NOTE = (
    "|candidate \N{MINUS SIGN} reference|, element by element, in powers of ten; exact equals stand apart at "
    "the left. Each panel is as high as its highest bar. A dashed line is the tolerance, if there is one."
)


def _cost_note(report: Report) -> str:
    return (
        f"On {shortened(report.environment.machine.cpu, 120)}: medians of interleaved calls, one thread, "
        "with 1 and with 32 samples. Factors are against the single-precision artifact of the same runtime."
    )


def _environment(report: Report) -> Markup:
    environment, machine = report.environment, report.environment.machine
    return _facts(
        [
            ("CPU", f"{machine.cpu}, {machine.cores} core{'s' if machine.cores != 1 else ''}"),
            ("CPU flags", ", ".join(environment.cpu_flags) or "unknown"),
            ("system", machine.system),
            ("packages", ", ".join(f"{name} {version}" for name, version in environment.packages.items())),
            ("quantized", shortened(report.conversion.summary, 300) if report.conversion else None),
            ("inputs", _tensors(report.inputs)),
            ("outputs", _tensors(report.outputs)),
        ]
    )


def _tensors(tensors: tuple[TensorInfo, ...]) -> str:
    return "; ".join(
        f"{shortened(each.name)} {each.datatype} {list(each.shape)}, {shortened(each.meaning, 100)}"
        for each in tensors
    )
