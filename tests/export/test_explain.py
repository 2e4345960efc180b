"""Where a candidate goes wrong: `keraport parity --explain` on real files with a fault in one layer."""

import json

import flatbuffers
import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import numpy_helper

from export.explaining.explanation import explain, snr_db
from export.formats import Tier

CONV2 = [64, 3, 3, 32]


@pytest.fixture
def looked_into(keraport, run_directory):
    """The explanation of the only file that is checked."""

    def look(path):
        result = keraport("parity", path, "--reference", run_directory, "--explain", "--json")
        assert result.returncode in (0, 1, 3), result.stderr
        (explanation,) = json.loads(result.stdout)["explanations"].values()
        return explanation

    return look


def test_a_healthy_file_has_no_broken_layer(published, looked_into):
    for name in ("model.onnx", "model.int8.tflite"):
        explanation = looked_into(published / name)
        assert explanation["broken"] is None
        assert {"conv1", "pool1", "conv2", "pool2", "logits"} <= {
            row["layer"] for row in explanation["layers"]
        }


@pytest.mark.slow
def test_a_kernel_that_was_scaled_is_named_in_onnx(published, looked_into, tmp_path):
    model = onnx.load(published / "model.onnx")
    (kernel,) = [each for each in model.graph.initializer if tuple(each.dims) == (64, 32, 3, 3)]
    kernel.CopyFrom(numpy_helper.from_array(1.02 * numpy_helper.to_array(kernel), kernel.name))
    onnx.save(model, tmp_path / "model.onnx")
    explanation = looked_into(tmp_path / "model.onnx")
    assert explanation["broken"] == "conv2"
    ratios = {row["layer"]: row["snr_db"] for row in explanation["layers"]}
    assert ratios["pool1"] > 120
    assert 20 < ratios["conv2"] < 50  # 2 % of the signal, before the bias: 20 log10(1 / 0.02) is 34 dB


def test_a_kernel_with_a_wrong_scale_is_named_in_tflite(published, looked_into, tmp_path):
    model = schema.ModelT.InitFromPackedBuf((published / "model.int8.tflite").read_bytes(), 0)
    (kernel,) = [each for each in model.subgraphs[0].tensors if list(each.shape) == CONV2]
    kernel.quantization.scale = [3 * scale for scale in kernel.quantization.scale]
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), b"TFL3")
    (tmp_path / "model.int8.tflite").write_bytes(bytes(builder.Output()))
    explanation = looked_into(tmp_path / "model.int8.tflite")
    assert explanation["broken"] == "conv2"


def test_the_table_and_the_page_show_it(keraport, published, run_directory, tmp_path):
    result = keraport(
        "parity",
        published / "model.int8.tflite",
        "--reference",
        run_directory,
        "--explain",
        "--report",
        tmp_path / "page.html",
    )
    assert result.returncode == 0, result.stderr
    assert "no layer breaks" in result.stdout
    assert "conv2" in result.stdout
    page = (tmp_path / "page.html").read_text()
    assert "Layer by layer" in page
    assert "signal-to-noise ratio" in page


def test_the_ratio_by_hand():
    signal = np.array([3.0, 4.0])  # power 25
    assert snr_db(signal, np.array([3.0, 4.5])) == pytest.approx(20.0)  # noise 0.25: a hundredth
    assert snr_db(signal, signal) == 200
    assert snr_db(signal, np.array([3.0, np.nan])) == -200
    assert snr_db(np.zeros(2), signal) == -200


def test_tensors_are_found_by_name_layout_and_likeness():
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(2, 4, 5, 3)), generator.normal(size=(2, 7))
    candidate = {
        "model/first_1/Relu;model/first_1/convolution": np.moveaxis(first, -1, 1),
        "odd": second + 1e-3,
        "other": generator.normal(size=(2, 7)),
    }
    explanation = explain({"first": first, "second": second, "lost": np.ones((2, 9))}, candidate, Tier.HALF)
    assert [(row.layer, row.tensor) for row in explanation.layers] == [
        ("first", "model/first_1/Relu;model/first_1/convolution"),
        ("second", "odd"),
    ]
    assert explanation.unmatched == ("lost",)
    assert explanation.broken is None
