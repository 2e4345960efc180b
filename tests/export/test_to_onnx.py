"""ONNX files against Keras itself, for models of every kind, and what is promised of the default one."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from keras import layers as kl

from export.converters.to_onnx import export_onnx
from export.converters.to_onnx_fp16 import export_onnx_fp16
from export.converters.to_onnx_int8 import export_onnx_int8
from export.errors import ConversionError

ROOT = Path(__file__).resolve().parents[2]


def test_every_kind_of_model_computes_as_in_keras(kind, zoo, tmp_path):
    model = zoo.build(kind)
    path = export_onnx(model, tmp_path / "model.onnx")
    half = export_onnx_fp16(path, tmp_path / "model.fp16.onnx")
    files = {path: 5e-3 if kind == "mixed precision" else 1e-5, half: 5e-3}
    if kind == "no layer that computes":
        with pytest.raises(ConversionError, match="quantizes none of the model's operators"):
            export_onnx_int8(path, tmp_path / "model.int8.onnx", zoo.feed(model, 60, seed=2))
    else:
        files[export_onnx_int8(path, tmp_path / "model.int8.onnx", zoo.feed(model, 60, seed=2))] = 0.1
    for count in (1, 2, 7):
        feed = zoo.feed(model, count)
        expected = zoo.expected(model, feed)
        for file, tolerance in files.items():
            assert zoo.difference(zoo.run_onnx(file, feed), expected) < tolerance, file.name
    for file in files:
        _check_interface(file, model)


def _check_interface(path, model):
    graph = onnx.load(path).graph
    assert [value.name for value in graph.input] == [tensor.name for tensor in model.inputs]
    for value in [*graph.input, *graph.output]:
        first, *rest = value.type.tensor_type.shape.dim
        assert first.dim_param == "batch"
        assert all(size.dim_value or size.dim_param for size in rest)
    domains = {node.domain for node in graph.node}
    assert domains == {""}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MobileNetV2", "EfficientNetB0"])
def test_applications_compute_as_in_keras(name, zoo, tmp_path):
    application = getattr(keras.applications, name)
    model = zoo.build(lambda: application(input_shape=(64, 64, 3), weights=None, classes=10))
    path = export_onnx(model, tmp_path / "model.onnx")
    half = export_onnx_fp16(path, tmp_path / "model.fp16.onnx")
    quantized = export_onnx_int8(path, tmp_path / "model.int8.onnx", zoo.feed(model, 60, seed=2))
    feed = zoo.feed(model, 3)
    expected = zoo.expected(model, feed)
    assert zoo.difference(zoo.run_onnx(path, feed), expected) < 1e-5
    assert zoo.difference(zoo.run_onnx(half, feed), expected) < 5e-3
    assert zoo.difference(zoo.run_onnx(quantized, feed), expected) < 0.1
    operators = Counter(node.op_type for node in onnx.load(path).graph.node)
    assert operators["BatchNormalization"] == operators["Shape"] == 0
    assert operators["Transpose"] == 1  # from Keras's order of axes to ONNX's
    assert half.stat().st_size < 0.55 * path.stat().st_size
    assert quantized.stat().st_size < 0.35 * path.stat().st_size


def test_the_default_graph_is_as_plain_as_the_model(zoo, tmp_path):
    graph = onnx.load(export_onnx(zoo.build("default"), tmp_path / "model.onnx")).graph
    assert [node.name for node in graph.node] == [
        "image/Cast",
        "rescaling/Mul",
        "conv1/Reshape",
        "conv1/Conv",
        "conv1/Relu",
        "pool1/MaxPool",
        "conv2/Conv",
        "conv2/Relu",
        "pool2/MaxPool",
        "flatten/Reshape",
        "logits/Gemm",
        "probabilities/Softmax",
    ]
    weights = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    assert (weights["conv1/Conv/W"], weights["conv1/Conv/B"]) == ((32, 1, 3, 3), (32,))
    assert weights["logits/Gemm/B"] == (1600, 10)


@pytest.mark.parametrize("kind", ["LSTM", "bidirectional LSTM", "attention", "signal"])
def test_no_arithmetic_on_shapes_is_left(kind, zoo, tmp_path):
    graph = onnx.load(export_onnx(zoo.build(kind), tmp_path / "model.onnx")).graph
    operators = Counter(node.op_type for node in graph.node)
    assert not operators.keys() & {"Shape", "ConstantOfShape", "Expand", "Identity", "Range"}
    # An embedding is a Gather by itself.
    assert operators["Gather"] == (kind == "attention")


EINSUMS = [
    ("abc,acd->abd", (4, 5), (5, 6)),
    ("aecd,abcd->acbe", (None, 2, 3), (None, 2, 3)),
    ("acbe,aecd->abcd", (2, 5, 4), (4, 2, 3)),
    ("abcd,acde->abe", (None, 3, 4), (3, 4, 5)),
    ("abc,acd->bad", (2, 3), (3, 4)),
    ("abcd,aefd->abcef", (None, 3, 5), (None, 4, 5)),
    ("abcd,aefd->abcef", (2, 3, 5), (None, 4, 5)),
    ("abc,ac->ab", (2, 3), (3,)),
]


class _Einsum(kl.Layer):
    def __init__(self, equation):
        super().__init__()
        self.equation = equation

    def call(self, operands):
        return keras.ops.einsum(self.equation, *operands)


@pytest.mark.parametrize(("equation", "left", "right"), EINSUMS)
def test_einsums_compute_as_in_numpy(equation, left, right, zoo, tmp_path):
    inputs = [keras.Input(left, name="a"), keras.Input(right, name="b")]
    model = keras.Model(inputs, _Einsum(equation)(inputs))
    feed = zoo.feed(model, 3)
    (answer,) = zoo.run_onnx(export_onnx(model, tmp_path / "model.onnx"), feed).values()
    np.testing.assert_allclose(answer, np.einsum(equation, feed["a"], feed["b"]), rtol=1e-4, atol=1e-5)


def test_nodes_are_named_by_the_layers_whatever_these_are_called(zoo, tmp_path):
    graph = onnx.load(export_onnx(zoo.build("layers with misleading names"), tmp_path / "model.onnx")).graph
    assert [node.name for node in graph.node][1:] == [
        "conv2d_1/Conv",
        "conv2d/Conv",
        "conv2d_1_1/Conv",
        "Gemm/Reshape",
        "Conv/Gemm",
    ]


def test_free_dimensions_have_names(zoo, tmp_path):
    def dimensions(kind):
        graph = onnx.load(export_onnx(zoo.build(kind), tmp_path / "model.onnx")).graph
        return {
            value.name: [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
            for value in [*graph.input, *graph.output]
        }

    assert dimensions("any size")["x"] == ["batch", "height", "width", 3]
    sequences = dimensions("sequences of any length")
    assert sequences["x"] == ["batch", "x_dim1", 5]
    assert sequences["dense"] == ["batch", "dense_dim1", 2]


def test_metadata_say_how_to_feed_and_read_the_file(zoo, tmp_path):
    path = export_onnx(zoo.build("default"), tmp_path / "model.onnx", labels=("zero", "ä"))
    export_onnx_fp16(path, tmp_path / "model.fp16.onnx")
    for name in ("model.onnx", "model.fp16.onnx"):
        model = onnx.load(tmp_path / name)
        facts = {prop.key: json.loads(prop.value) for prop in model.metadata_props}
        assert facts["labels"] == ["zero", "ä"]
        assert facts["inputs"] == {"image": "raw pixels, 0 to 255: no scaling"}
        assert facts["layers"][:3] == ["image", "rescaling", "conv1"]
        assert (model.producer_name, model.producer_version) == ("keraport", "")


SAVE_ALL = """
import sys
from pathlib import Path
import keras
import numpy as np
from export.converters.to_onnx import export_onnx
from export.converters.to_onnx_fp16 import export_onnx_fp16
from export.converters.to_onnx_int8 import export_onnx_int8
out = Path(sys.argv[2])
for checkpoint in sorted(Path(sys.argv[1]).glob("*.keras")):
    model = keras.models.load_model(checkpoint)
    path = export_onnx(model, out / f"{checkpoint.stem}.onnx", labels=("a", "b"))
    export_onnx_fp16(path, out / f"{checkpoint.stem}.fp16.onnx")
    feed = np.load(checkpoint.with_suffix(".npz"))
    export_onnx_int8(path, out / f"{checkpoint.stem}.int8.onnx", dict(feed))
"""


@pytest.mark.slow
def test_the_same_checkpoint_gives_the_same_bytes_whatever_the_hash_seed(zoo, tmp_path):
    for kind in ("default", "bidirectional GRU", "attention"):
        model = zoo.build(kind)
        model.save(tmp_path / f"{kind}.keras")
        np.savez(tmp_path / f"{kind}.npz", **zoo.feed(model, 20))
    folders = [tmp_path / seed for seed in ("1", "2")]
    processes = []
    for folder in folders:
        folder.mkdir()
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": folder.name}
        command = [sys.executable, "-c", SAVE_ALL, tmp_path, folder]
        processes.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE))
    for process in processes:
        _, log = process.communicate(timeout=300)
        assert process.returncode == 0, log.decode()
    files = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]
    assert len(files[0]) == 9
    assert files[0] == files[1]


class _Spectrum(kl.Layer):
    def call(self, x):
        return keras.ops.svd(x, compute_uv=False)


def test_an_operator_that_onnx_has_not_is_refused_by_the_layer_that_needs_it(tmp_path):
    x = keras.Input((4, 4), name="x")
    model = keras.Model(x, kl.Dense(2)(_Spectrum(name="spectrum")(x)))
    with pytest.raises(
        ConversionError, match=r"^layer 'spectrum' needs Svd, which tf2onnx cannot express"
    ) as told:
        export_onnx(model, tmp_path / "model.onnx")
    assert "\n" not in str(told.value)
    assert not (tmp_path / "model.onnx").exists()


class _Picky(kl.Layer):
    picky = False

    def call(self, x):
        if self.picky:
            raise ValueError("one sample at a time, please")
        return x


def test_a_model_that_cannot_be_traced_is_refused_with_the_reason(tmp_path, monkeypatch):
    x = keras.Input((4,), name="x")
    model = keras.Model(x, _Picky()(x))
    monkeypatch.setattr(_Picky, "picky", True)
    reason = r"^Keras cannot trace this model: one sample at a time, please$"
    with pytest.raises(ConversionError, match=reason):
        export_onnx(model, tmp_path / "model.onnx")


def test_activations_compute_as_in_keras(zoo, tmp_path):
    names = [
        "selu",
        "softplus",
        "softsign",
        "mish",
        "hard_silu",
        "celu",
        "log_softmax",
        "exponential",
        "gelu",
    ]
    x = y = keras.Input((6,), name="x")
    for name in names:
        y = kl.LayerNormalization()(kl.Dense(6, activation=name)(y))
    model = zoo.build(lambda: keras.Model(x, y))
    feed = zoo.feed(model, 5)
    assert (
        zoo.difference(
            zoo.run_onnx(export_onnx(model, tmp_path / "model.onnx"), feed), zoo.expected(model, feed)
        )
        < 1e-5
    )
