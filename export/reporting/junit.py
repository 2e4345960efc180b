"""The verdicts as JUnit XML, which CI systems show among their tests; docs/report.md says how they map."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from export.manifest import Artifact
from export.reporting.markup import printable
from export.reporting.numbers import bound_of, heads, outputs_of
from export.reporting.report import Occasion, Report
from export.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test case.

    Attributes:
        name: of what was checked.
        numbers: that were measured, by flat names; None where one was not.
        outcome: the child element of one that did not pass, `failure`, `error` or `skipped`; else None.
        verdict, reason: of it.
        seconds: that one run takes, where that was measured.
        log: what it printed, if anything.
    """

    name: str
    numbers: Mapping[str, object]
    outcome: str | None
    verdict: Verdict
    reason: str
    seconds: float | None = None
    log: str = ""


def render_junit(report: Report) -> bytes:
    """One test suite with one test case an artifact."""
    main = next(iter(heads(report.artifacts)), None)
    cases = [
        Case(
            name=f"{artifact.format} on {report.device}" if report.device else artifact.format.value,
            numbers=_numbers(artifact, main),
            outcome=_outcome(report, artifact),
            verdict=artifact.verdict,
            reason=artifact.reason,
            seconds=artifact.latency.one_ms / 1000 if artifact.latency else None,
            log=artifact.log,
        )
        for artifact in report.artifacts
    ]
    return render_suite(report.model, report.created, _facts(report), cases)


def render_suite(model: str, created: str, facts: Mapping[str, object], cases: Sequence[Case]) -> bytes:
    """One test suite.

    Args:
        model: its name.
        created: when, in ISO 8601.
        facts: of all cases, by flat names; None where there is none.
        cases: of it.
    """
    suites = ET.Element("testsuites", name="keraport")
    suite = ET.SubElement(
        suites, "testsuite", name=printable(f"parity of {model}"), timestamp=printable(created)
    )
    _add_properties(suite, facts)
    for case in cases:
        element = ET.SubElement(suite, "testcase", name=case.name, classname=printable(f"parity.{model}"))
        if case.seconds is not None:
            element.set("time", f"{case.seconds:.6f}")
        _add_properties(element, case.numbers)
        if case.outcome is not None:
            reason = printable(case.reason)
            ET.SubElement(element, case.outcome, message=reason, type=case.verdict.value).text = reason
        if case.log:
            ET.SubElement(element, "system-out").text = printable(case.log)
    counts = Counter(case.outcome for case in cases)
    for element in (suites, suite):
        element.set("tests", str(len(cases)))
        element.set("failures", str(counts["failure"]))
        element.set("errors", str(counts["error"]))
        element.set("skipped", str(counts["skipped"]))
    ET.indent(suites)
    content: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _outcome(report: Report, artifact: Artifact) -> str | None:
    """Of an artifact: one that could not be made is skipped where it need not be there."""
    if artifact.verdict is Verdict.REFUSED and report.occasion is Occasion.EXPORT:
        return "failure" if artifact.format in report.required else "skipped"
    return outcome_of(artifact.verdict)


def outcome_of(verdict: Verdict) -> str | None:
    """The child element of a test case; None if it passed."""
    match verdict:
        case Verdict.PASS:
            return None
        case Verdict.INCONCLUSIVE:
            return "error"
        case _:
            return "failure"


def _facts(report: Report) -> Mapping[str, object]:
    return {
        "verdict": report.verdict.value,
        "version": report.version,
        "device": report.device or None,
        "reference": report.reference.name,
        "reference_sha256": report.reference.sha256,
        "data": report.dataset.name,
        "data_sha256": report.dataset.sha256,
        "samples": report.dataset.samples,
        "cpu": report.environment.machine.cpu,
    }


def _numbers(artifact: Artifact, main: str | None) -> Mapping[str, object]:
    """What was measured, by flat names."""
    numbers: dict[str, object] = {"bytes": artifact.bytes or None, "sha256": artifact.sha256}
    if artifact.comparison is not None:
        numbers["max_abs_delta"] = artifact.comparison.max_abs_delta
    output = outputs_of(artifact).get(main or "") or (artifact.comparison and artifact.comparison.deciding)
    if output:
        numbers |= {
            "accuracy": output.accuracy and output.accuracy.candidate,
            "error": output.error and output.error.candidate,
            "agreement": output.agreement,
        }
        bound = bound_of(output)
        if bound is not None:
            name = f"{bound.what}_{'points' if bound.unit == 'pp' else 'percent'}".replace(" ", "_")
            numbers |= {name: bound.point, f"{name}_lower": bound.lower, f"{name}_upper": bound.upper}
            numbers[f"{name}_margin"] = bound.margin
    if artifact.latency is not None:
        numbers |= {"one_ms": artifact.latency.one_ms, "batch_ms": artifact.latency.batch_ms}
    return numbers


def _add_properties(parent: ET.Element, values: Mapping[str, object]) -> None:
    known = {name: value for name, value in values.items() if value is not None}
    properties = ET.SubElement(parent, "properties") if known else parent
    for name, value in known.items():
        text = f"{value:.6g}" if isinstance(value, float) else str(value)
        ET.SubElement(properties, "property", name=name, value=printable(text))
