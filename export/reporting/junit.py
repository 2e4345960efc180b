"""The verdicts as JUnit XML, which CI systems show among their tests; docs/report.md says how they map."""

from xml.etree import ElementTree as ET

from export.manifest import Artifact
from export.reporting.markup import printable
from export.reporting.numbers import bound_of, heads, outputs_of
from export.reporting.report import Occasion, Report
from export.verdict import Verdict


def render_junit(report: Report) -> bytes:
    """One test suite with one test case an artifact."""
    name = printable(f"parity of {report.model}")
    suites = ET.Element("testsuites", name="keraport")
    suite = ET.SubElement(suites, "testsuite", name=name, timestamp=printable(report.created))
    _add_properties(suite, _facts(report))
    main = next(iter(heads(report.artifacts)), None)
    counts = {"failure": 0, "error": 0, "skipped": 0}
    for artifact in report.artifacts:
        case = ET.SubElement(
            suite, "testcase", name=artifact.format.value, classname=printable(f"parity.{report.model}")
        )
        if artifact.latency is not None:
            case.set("time", f"{artifact.latency.one_ms / 1000:.6f}")
        _add_properties(case, _numbers(artifact, main))
        outcome = _outcome(report, artifact)
        if outcome is not None:
            counts[outcome] += 1
            reason = printable(artifact.reason)
            ET.SubElement(case, outcome, message=reason, type=artifact.verdict.value).text = reason
        if artifact.log:
            ET.SubElement(case, "system-out").text = printable(artifact.log)
    for element in (suites, suite):
        element.set("tests", str(len(report.artifacts)))
        element.set("failures", str(counts["failure"]))
        element.set("errors", str(counts["error"]))
        element.set("skipped", str(counts["skipped"]))
    ET.indent(suites)
    content: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _outcome(report: Report, artifact: Artifact) -> str | None:
    """The child element of a test case; None if it passed."""
    match artifact.verdict:
        case Verdict.PASS:
            return None
        case Verdict.INCONCLUSIVE:
            return "error"
        case Verdict.REFUSED if report.occasion is Occasion.EXPORT and artifact.format not in report.required:
            return "skipped"
        case _:
            return "failure"


def _facts(report: Report) -> dict[str, object]:
    return {
        "verdict": report.verdict.value,
        "version": report.version,
        "reference": report.reference.name,
        "reference_sha256": report.reference.sha256,
        "data": report.dataset.name,
        "data_sha256": report.dataset.sha256,
        "samples": report.dataset.samples,
        "cpu": report.environment.machine.cpu,
    }


def _numbers(artifact: Artifact, main: str | None) -> dict[str, object]:
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


def _add_properties(parent: ET.Element, values: dict[str, object]) -> None:
    known = {name: value for name, value in values.items() if value is not None}
    properties = ET.SubElement(parent, "properties") if known else parent
    for name, value in known.items():
        text = f"{value:.6g}" if isinstance(value, float) else str(value)
        ET.SubElement(properties, "property", name=name, value=printable(text))
