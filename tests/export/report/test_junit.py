"""The verdicts as JUnit XML, read back by a parser as a CI system would."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from export.formats import Format
from export.reporting.junit import render_junit
from export.reporting.report import Occasion
from export.verdict import Verdict


def read(report):
    return ET.fromstring(render_junit(report))  # noqa: S314  (written here)


def cases(report):
    suite = read(report).find("testsuite")
    return {case.get("name"): case for case in suite.findall("testcase")}


def outcome(case):
    return next((child.tag for child in case if child.tag in ("failure", "error", "skipped")), None)


def test_every_artifact_is_a_case_with_its_numbers(digits_report):
    root = read(digits_report)
    suite = root.find("testsuite")
    assert suite.get("name") == "parity of digits"
    found = cases(digits_report)
    assert set(found) == {artifact.format.value for artifact in digits_report.artifacts}
    int8 = found["tflite-int8"]
    assert float(int8.get("time")) == pytest.approx(0.0312e-3, abs=1e-6)
    properties = {each.get("name"): each.get("value") for each in int8.iter("property")}
    assert properties["bytes"] == "425904"
    assert 0.99 < float(properties["accuracy"]) <= 1
    assert float(properties["drop_points_upper"]) <= float(properties["drop_points_margin"]) == 0.2
    assert found["onnx-fp16"].get("time") is None
    assert "no kernel" in found["onnx-fp16"].findtext("system-out")


@pytest.mark.parametrize(
    ("verdict", "occasion", "required", "expected"),
    [
        (Verdict.PASS, Occasion.EXPORT, (), None),
        (Verdict.FAIL, Occasion.EXPORT, (), "failure"),
        (Verdict.INCONCLUSIVE, Occasion.EXPORT, (), "error"),
        (Verdict.REFUSED, Occasion.EXPORT, (), "skipped"),
        (Verdict.REFUSED, Occasion.EXPORT, (Format.ONNX,), "failure"),
        (Verdict.REFUSED, Occasion.PARITY, (), "failure"),
    ],
)
def test_verdicts_become_outcomes_that_ci_systems_know(digits_report, verdict, occasion, required, expected):
    onnx = next(each for each in digits_report.artifacts if each.format is Format.ONNX)
    artifact = replace(onnx, verdict=verdict, reason="because")
    report = replace(digits_report, artifacts=(artifact,), occasion=occasion, required=required)
    case = cases(report)["onnx"]
    assert outcome(case) == expected
    if expected:
        assert case.find(expected).get("message") == "because"
        assert case.find(expected).get("type") == verdict.value


def test_the_counts_are_those_of_the_cases(digits_report):
    root = read(digits_report)
    outcomes = [outcome(case) for case in root.iter("testcase")]
    for element in (root, root.find("testsuite")):
        assert int(element.get("tests")) == len(outcomes)
        assert int(element.get("failures")) == outcomes.count("failure") > 0
        assert int(element.get("errors")) == outcomes.count("error")
        assert int(element.get("skipped")) == outcomes.count("skipped") == 1


def test_control_characters_and_markup_stay_valid_xml(digits_report):
    text = "\x00\x1b[31m]]></failure><x a='\"'>&\udc80\ufffe"
    artifact = replace(digits_report.artifacts[1], verdict=Verdict.FAIL, reason=text, log=text)
    report = replace(digits_report, model=text, artifacts=(artifact,))
    root = read(report)
    failure = next(root.iter("failure"))
    assert failure.text.startswith("\ufffd\ufffd[31m]]></failure><x a='\"'>&")
    assert render_junit(report) == render_junit(report)
