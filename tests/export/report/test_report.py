"""What the report's page says, of every kind of model, and that nothing foreign can break out of it."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from export.formats import Format
from export.manifest import Artifact, DataInfo, TensorInfo
from export.parity.compare import TargetKind, Targets
from export.reporting.page import render_page
from export.reporting.report import Occasion, ReferenceInfo
from export.verdict import Verdict

VOID = {"meta", "img", "br", "col"}
HOSTILE = "</style><script>alert(1)</script>\"'><img src=x onerror=alert(2)>\x00\x1b[31m\u202e&amp;\udc80"


class Page(HTMLParser):
    """The elements, attributes and visible texts of a page; asserts that it is well-formed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts, self._open = set(), [], [], []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open[-1:] != ["style"]:
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def headings(text):
    return re.findall("<h2>(.*?)</h2>", text)


@pytest.fixture(scope="session")
def digits_page(digits_report):
    return render_page(digits_report, {})


def test_every_artifact_is_there_with_verdict_reason_and_numbers(digits_report, digits_page):
    text = Page(digits_page).text
    for artifact in digits_report.artifacts:
        assert artifact.format in text
        assert artifact.reason in text
        if artifact.path is not None:
            assert f"{artifact.bytes:,}" in text
    assert digits_report.reference.sha256 in text
    assert digits_report.dataset.sha256 in text
    assert "Node 7 (Conv): no kernel for float16" in text
    assert "tflite-int8 is slower than tflite on this CPU: 0.031 ms against 0.015 ms a sample" in text
    assert "could not be converted" in text
    assert "Published as version 3." in text
    assert headings(digits_page) == [
        "Verdicts",
        "Not shipped",
        "Change against the reference",
        "Changes by class",
        "Calibration",
        "Flipped samples",
        "Distances",
        "Size and latency",
        "Every output",
        "Environment",
    ]


def test_the_page_needs_nothing_but_itself(digits_page):
    page = Page(digits_page)
    assert not page.tags & {"script", "link", "iframe", "object", "embed", "form", "base"}
    assert not [value for name, value in page.attributes if name in ("src", "href", "srcset", "action")]
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "http://" not in digits_page
    assert "https://" not in digits_page
    assert "url(" not in digits_page
    assert "default-src 'none'" in dict(page.attributes)["content"] or "default-src" in digits_page


def test_the_same_report_gives_the_same_bytes(digits_report, digits_page):
    assert render_page(digits_report, {}) == digits_page


def test_figures_and_tables_say_in_words_what_they_show(digits_page):
    assert digits_page.count("<svg") == digits_page.count("<title>") - 1 + digits_page.count(
        'aria-hidden="true"'
    )
    assert digits_page.count("<table") == digits_page.count("<caption>")
    assert "How much accuracy may be lost: saved_model 0.000" in digits_page


def test_foreign_texts_are_shown_and_not_obeyed(digits_report):
    hostile = replace(
        digits_report,
        model=HOSTILE,
        reference=ReferenceInfo(name=HOSTILE, sha256=HOSTILE, custom_sha256=HOSTILE),
        dataset=DataInfo(name=HOSTILE, sha256=HOSTILE, samples=1),
        inputs=(TensorInfo(name=HOSTILE, datatype=HOSTILE, shape=(-1,), meaning=HOSTILE),),
        labels=(HOSTILE,) * 10,
        artifacts=tuple(
            replace(
                artifact,
                reason=HOSTILE,
                log=HOSTILE,
                comparison=artifact.comparison
                and replace(
                    artifact.comparison,
                    outputs=tuple(
                        replace(each, output=each.output + HOSTILE) for each in artifact.comparison.outputs
                    ),
                ),
            )
            for artifact in digits_report.artifacts
        ),
        environment=replace(digits_report.environment, packages={HOSTILE: HOSTILE}, cpu_flags=(HOSTILE,)),
    )
    text = render_page(hostile, {HOSTILE: np.array([HOSTILE.replace("\udc80", "")] * 3000)})
    text.encode()
    page = Page(text)
    assert not page.tags & {"script"}
    assert {name for name, _ in page.attributes if name.startswith("on")} == set()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert text.count("</style>") == 1
    assert "<script>alert(1)</script>" in page.text


def regression(make_artifact, make_report, targets, **changes):
    random = np.random.default_rng(1)
    truth = random.normal(0, 1, (1000, 1))
    reference = {"price": (truth + random.normal(0, 0.2, truth.shape)).astype(np.float32)}
    near = {"price": reference["price"] + np.float32(1e-6)}
    far = {"price": (reference["price"] + random.normal(0, 0.5, truth.shape)).astype(np.float32)}
    known = {"price": Targets(kind=TargetKind.VALUES, values=truth)} if targets else {}
    artifacts = (
        make_artifact(Format.ONNX, reference, near, known),
        make_artifact(Format.TFLITE_INT8, reference, far, known),
    )
    return make_report(artifacts, labels=(), **changes)


def test_regression_has_errors_and_no_accuracy(make_artifact, make_report):
    text = render_page(regression(make_artifact, make_report, targets=True), {})
    assert "Errors" in headings(text)
    assert not {"Calibration", "Changes by class", "Flipped samples"} & set(headings(text))
    words = Page(text).text
    assert "increase at most" in words
    assert "How much the error may have grown" in words
    assert "RMSE" in words
    assert "ccuracy" not in words
    assert "agreement" not in words


def test_values_without_targets_have_a_distance(make_artifact, make_report):
    words = Page(render_page(regression(make_artifact, make_report, targets=False), {})).text
    assert "distance at most" in words
    assert "How far values may have moved" in words
    assert "ccuracy" not in words


def test_unlabelled_classes_have_other_answers(answers, make_artifact, make_report):
    artifacts = (
        make_artifact(Format.ONNX, answers.reference(), answers.near(1e-6), {}),
        make_artifact(Format.TFLITE_INT8, answers.reference(), answers.near(1.5), {}),
    )
    text = render_page(make_report(artifacts, labels=()), {})
    words = Page(text).text
    assert "other answers at most" in words
    assert "How many answers may differ" in words
    assert "label" not in words
    assert "ccuracy" not in words
    assert "Flipped samples" in headings(text)


def test_labels_of_their_own_are_answered_by_yes_and_no(make_artifact, make_report):
    random = np.random.default_rng(2)
    labels = random.integers(0, 2, (1000, 3))
    scores = {"tags": ((labels * 2 - 1) * 2 + random.normal(0, 1, labels.shape)).astype(np.float32)}
    other = {"tags": (scores["tags"] + random.normal(0, 0.5, labels.shape)).astype(np.float32)}
    targets = {"tags": Targets(kind=TargetKind.MULTI_LABEL, values=labels)}
    artifact = make_artifact(Format.TFLITE_INT8, scores, other, targets)
    words = Page(render_page(make_report((artifact,), labels=("cat", "dog", "bird")), {})).text
    assert re.search(r"sample \d+ (cat|dog|bird) label (yes|no) reference (yes|no)", words)


def test_every_head_has_its_own_row_and_plot(answers, make_artifact, make_report):
    random = np.random.default_rng(3)
    prices = random.normal(0, 1, (len(answers.labels), 1)).astype(np.float32)
    reference = {"digit": answers.logits, "price": prices}
    targets = {"digit": answers.targets[""], "price": Targets(kind=TargetKind.VALUES, values=prices + 0.1)}
    artifact = make_artifact(Format.ONNX, reference, reference, targets)
    text = render_page(make_report((artifact,), labels=()), {})
    assert "Change against the reference: output digit" in headings(text)
    assert "Change against the reference: output price" in headings(text)
    assert text.count('rowspan="2"') == 5


def test_probabilities_repeat_their_logits_head(digits_page):
    assert "output logits" not in " ".join(headings(digits_page))


def test_what_never_ran_has_dashes(make_report):
    artifact = Artifact(
        format=Format.ONNX,
        precision="fp32",
        path=None,
        bytes=0,
        sha256=None,
        verdict=Verdict.FAIL,
        reason="it ran out of memory",
        log="Killed",
    )
    report = make_report((artifact,), version=None, verdict=Verdict.FAIL)
    text = render_page(report, {})
    words = Page(text).text
    assert "Nothing was published: onnx is required and did not pass." in words
    assert "it ran out of memory" in words
    assert "Killed" in words
    assert headings(text) == ["Verdicts", "What failed", "Environment"]
    assert render_page(replace(report, artifacts=()), {})


def test_a_check_says_that_nothing_was_published(digits_report):
    text = render_page(replace(digits_report, occasion=Occasion.PARITY), {})
    assert "A check of what was there" in text
    assert "Published as" not in text
    assert "Not shipped" not in headings(text)


def test_a_thousand_classes_are_cut_with_a_note(make_artifact, make_report):
    random = np.random.default_rng(4)
    labels = np.repeat(np.arange(1000), 3)
    logits = random.normal(0, 1, (3000, 1000)).astype(np.float32)
    logits[np.arange(3000), labels] += 4
    other = {"logits": (logits + random.normal(0, 1, logits.shape)).astype(np.float32)}
    targets = {"": Targets(kind=TargetKind.CLASS, values=labels)}
    artifact = make_artifact(Format.TFLITE_INT8, {"logits": logits}, other, targets)
    text = render_page(make_report((artifact,), labels=tuple(f"class {n}" for n in range(1000))), {})
    assert "70 more classes, with larger p, are in report.json." in text
    assert len(text) < 100_000


def test_a_number_without_an_end_is_drawn_and_said(make_artifact, make_report):
    random = np.random.default_rng(5)
    truth = random.normal(0, 1, (1000, 1)).astype(np.float32)
    targets = {"y": Targets(kind=TargetKind.VALUES, values=truth)}
    artifact = make_artifact(Format.TFLITE_INT8, {"y": truth}, {"y": truth + np.float32(0.1)}, targets)
    assert artifact.comparison.outputs[0].error.increase_percent is None
    text = render_page(make_report((artifact,), labels=()), {})
    assert "no number" in text
    assert "nan" not in text
