"""The terminal's table: every number whole at any width, and a word on artifacts that became slower."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from export.console_table import print_table
from export.formats import Format
from export.latency import Latency
from export.parity.compare import TargetKind, Targets
from export.reporting.numbers import heads, number, slower_lines


def printed(artifacts, width):
    stream = io.StringIO()
    print_table(Console(file=stream, width=width, color_system=None), artifacts)
    return stream.getvalue()


@pytest.mark.parametrize("width", [50, 60, 80, 100, 120, 160, 240])
def test_no_number_is_cut_at_any_width(digits_report, width):
    text = printed(digits_report.artifacts, width)
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= width
    words = re.split(r"\s+", text)
    for artifact in digits_report.artifacts:
        assert artifact.format.value in words or f"{artifact.format.value}:" in words
        assert artifact.verdict.value in words
        change = artifact.comparison and artifact.comparison.outputs[0].accuracy
        if change:
            assert f"{change.drop_upper_points:.3f}" in words
            assert f"{change.candidate:.2%}" in words
        assert "".join(artifact.reason.split()) in "".join(words) or width >= 120


def test_a_hundred_columns_show_every_number(digits_report):
    head, *rows = printed(digits_report.artifacts, 100).split("\nartifact ")[1].splitlines()
    for name in ("bytes", "accuracy", "agreement", "max |Δ|", "verdict"):
        assert name in head
    onnx = next(row for row in rows if row.startswith("onnx "))
    assert "1,653,221" in onnx
    assert re.search(r"0\.021 +0\.209 +pass", onnx)


def test_columns_without_numbers_are_left_out(make_artifact):
    values = np.random.default_rng(0).normal(0, 1, (500, 1)).astype(np.float32)
    targets = {"y": Targets(kind=TargetKind.VALUES, values=values + 0.1)}
    text = printed([make_artifact(Format.ONNX, {"y": values}, {"y": values}, targets, None)], 160)
    assert "error" in text
    assert "accuracy" not in text
    assert "agreement" not in text
    assert "ms" not in text


def test_nothing_at_all_is_an_empty_table():
    assert printed([], 100).strip() == ""


def times(report, **latencies):
    chosen = {Format(name.replace("_", "-")): pair for name, pair in latencies.items()}
    return [
        replace(
            artifact, latency=Latency(one_ms=chosen[artifact.format][0], batch_ms=chosen[artifact.format][1])
        )
        for artifact in report.artifacts
        if artifact.format in chosen
    ]


def test_slower_is_said_within_a_runtime(digits_report):
    lines = slower_lines(
        times(digits_report, onnx=(0.01, 0.1), tflite=(0.015, 0.48), tflite_int8=(0.031, 0.9))
    )
    assert lines == [
        "tflite-int8 is slower than tflite on this CPU: 0.031 ms against 0.015 ms a sample "
        "(quantized is not always faster: measure on the device)"
    ]


def test_slower_in_batches_alone_is_said_too(digits_report):
    (line,) = slower_lines(times(digits_report, onnx=(0.02, 0.32), onnx_int8=(0.02, 0.64)))
    assert "0.020 ms against 0.010 ms a sample in batches of 32" in line


def test_equals_are_not_slower(digits_report):
    assert slower_lines(times(digits_report, tflite=(0.0150, 0.48), tflite_fp16=(0.0155, 0.49))) == []
    assert slower_lines(times(digits_report, tflite_int8=(0.031, 0.9))) == []


def test_heads_are_told_apart_and_not_repeated(digits_report):
    assert heads(digits_report.artifacts) == ("logits",)
    assert heads([]) == ()


def test_small_negative_numbers_lose_their_sign_with_their_digits():
    assert (number(-0.0001), number(-0.01), number(1234.5), number(1e7)) == (
        "0.000",
        "-0.010",
        "1,234.5",
        "1.00e+07",
    )
