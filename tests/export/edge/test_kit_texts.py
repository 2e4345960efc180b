"""What a kit says and shows: its README, its examples, the table of what does not fit."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from export.edge.tflm_example import method_name
from training.datasets import load_dataset


def table(text, heading):
    """The rows of the first table below a heading, as cells."""
    lines = text.partition(f"## {heading}\n")[2].partition("\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return rows[2:]


def test_the_readme_says_what_was_measured(made_kit):
    folder, said = made_kit
    text = (folder / "README.md").read_text()
    assert said["sha256"] in text
    memory = {what: int(taken.replace(",", "")) for what, taken in table(text, "C without a runtime")}
    assert memory["RAM in all, without the stack"] == said["portable"]["arena_bytes"] + 794
    proof = table(text, "Proof")
    assert proof[0][1] == "0 of 3,000 bytes differ on 300 samples"
    mistakes = table(text, "Common mistakes")
    assert len(mistakes) == 7
    assert mistakes[0][2] == "100.0%"
    operators = table(text, "Operators of the int8 file")
    assert ["CONV_2D", "3", "2"] in operators


def test_every_mistake_costs_accuracy_and_the_right_way_has_that_of_the_file(made_kit):
    folder, said = made_kit
    right, *mistakes = said["mistakes"]
    test = load_dataset("mnist").test.take(np.arange(300))
    program = (
        "import runpy, numpy as np; kit = runpy.run_path('python/classify.py');"
        "frames = np.load('../frames.npy'); print([int(kit['scores'](one).argmax()) for one in frames])"
    )
    np.save(folder.parent / "frames.npy", test.inputs["x"])
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True
    )
    found = np.array(json.loads(done.stdout.splitlines()[-1]))
    assert right["accuracy"] == pytest.approx((found == test.y).mean())
    assert right["agreement"] == 1
    assert all(each["accuracy"] < right["accuracy"] - 0.05 for each in mistakes)


def test_the_python_example_classifies_files_without_tensorflow(kit, tmp_path):
    vectors = np.load(kit / "golden" / "golden.npz")
    np.save(tmp_path / "frames.npy", vectors["raw"])
    program = kit / "python" / "classify.py"
    assert len([line for line in program.read_text().splitlines() if line]) <= 40
    code = (
        "import sys, runpy; sys.modules['tensorflow'] = None;"
        "sys.argv[:] = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, program, tmp_path / "frames.npy"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stdout.splitlines() if "frames.npy" in line]
    assert [int(line.split()[-1]) for line in lines] == vectors["expected"].tolist()


def test_the_resolver_holds_the_models_operators_and_no_more(made_kit):
    folder, said = made_kit
    text = (folder / "tflm" / "main.cc").read_text()
    added = re.findall(r"resolver\.Add(\w+)\(\)", text)
    assert added == ["Conv2D", "FullyConnected", "MaxPool2D", "Reshape"]
    assert f"MicroMutableOpResolver<{len(said['operators'])}>" in text


@pytest.mark.parametrize(
    ("operator", "method"),
    [
        ("ADD_N", "AddN"),
        ("BATCH_MATMUL", "BatchMatMul"),
        ("BATCH_TO_SPACE_ND", "BatchToSpaceNd"),
        ("CUMSUM", "CumSum"),
        ("DEPTHWISE_CONV_2D", "DepthwiseConv2D"),
        ("L2_NORMALIZATION", "L2Normalization"),
        ("L2_POOL_2D", "L2Pool2D"),
        ("PADV2", "PadV2"),
        ("RELU6", "Relu6"),
        ("REVERSE_V2", "ReverseV2"),
        ("SPLIT_V", "SplitV"),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", "UnidirectionalSequenceLSTM"),
    ],
)
def test_the_resolvers_method_has_its_name_from_the_operator(operator, method):
    assert method_name(operator) == method


@pytest.mark.parametrize(("option", "size"), [("--flash", "32K"), ("--ram", "27833")])
def test_a_model_that_does_not_fit_is_told_what_takes_the_space(keraport, published, tmp_path, option, size):
    options = ("--out", tmp_path / "kit", "--samples", 10, option, size)
    result = keraport("edge", published, *options, cwd=published.parents[2])
    assert result.returncode == 1
    rows = re.findall(r"^(flash|RAM) +([\d,]+) +(.+?) *$", result.stdout, re.MULTILINE)
    for memory in ("flash", "RAM"):
        parts = [int(taken.replace(",", "")) for kind, taken, _ in rows if kind == memory]
        assert sum(parts[:-1]) == parts[-1]
    assert any("weights of operator 2, CONV_2D" in what for *_, what in rows)
    assert "nothing written" in result.stdout
    assert not list(tmp_path.iterdir())


def test_a_model_that_fits_is_written_and_a_size_that_is_none_is_refused(keraport, published, tmp_path):
    options = ("--out", tmp_path / "kit", "--flash", "40K", "--ram", "28K", "--samples", 10)
    result = keraport("edge", published, *options, "--json", cwd=published.parents[2])
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["host"]["test"]["samples"] == 10
    result = keraport("edge", published, "--out", tmp_path / "other", "--ram", "much")
    assert result.returncode == 2
    assert "'much' is no size" in result.stderr
