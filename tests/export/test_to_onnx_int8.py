"""What the int8 and half-precision ONNX files of the default classifier promise, briefly trained."""

from collections import Counter

import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from export.converters.to_onnx import export_onnx
from export.converters.to_onnx_fp16 import export_onnx_fp16
from export.converters.to_onnx_int8 import export_onnx_int8
from export.errors import ExportError
from training.architectures import build_built_in, served_form
from training.datasets import load_dataset


@pytest.fixture(scope="module")
def mnist():
    return load_dataset("mnist")


@pytest.fixture(scope="module")
def calibration(mnist):
    return {"image": mnist.train.inputs["x"][-200:]}


@pytest.fixture(scope="module")
def path(mnist, tmp_path_factory):
    """The file in single precision of a classifier that has seen 2,000 digits."""
    keras.utils.set_random_seed(4)
    core = build_built_in("notebook", (28, 28, 1), 10, 0.3)
    core.compile("adam", "sparse_categorical_crossentropy")
    core.fit(mnist.train.inputs["x"][:2000] / np.float32(255), mnist.train.y[:2000], batch_size=32, verbose=0)
    return export_onnx(served_form(core, raw_pixels=True), tmp_path_factory.mktemp("onnx") / "model.onnx")


def _logits(path, images):
    return onnxruntime.InferenceSession(path).run(["logits"], {"image": images})[0]


def _operators(path):
    return Counter(node.op_type for node in onnx.load(path).graph.node)


def test_half_precision_is_half_the_size_and_answers_the_same(path, mnist, tmp_path):
    half = export_onnx_fp16(path, tmp_path / "model.fp16.onnx")
    assert half.stat().st_size < 0.52 * path.stat().st_size
    images = mnist.test.inputs["x"][:1000]
    expected, answer = _logits(path, images), _logits(half, images)
    assert answer.dtype == np.float32
    assert np.abs(answer - expected).max() < 0.02
    assert (answer.argmax(1) == expected.argmax(1)).mean() > 0.995
    types = {tensor.data_type for tensor in onnx.load(half).graph.initializer}
    assert types == {onnx.TensorProto.FLOAT16, onnx.TensorProto.INT64}


def test_int8_is_a_third_of_the_size_and_as_accurate(path, mnist, calibration, tmp_path):
    quantized = export_onnx_int8(path, tmp_path / "model.int8.onnx", calibration)
    assert quantized.stat().st_size < 0.31 * path.stat().st_size
    images, labels = mnist.test.inputs["x"][:2000], mnist.test.y[:2000]
    expected, answer = _logits(path, images), _logits(quantized, images)
    assert abs((answer.argmax(1) == labels).mean() - (expected.argmax(1) == labels).mean()) < 0.005
    slope = (answer * expected).sum() / (expected * expected).sum()
    assert 0.99 < slope < 1.01


def test_int8_takes_pixels_and_gives_logits_without_a_detour(path, calibration, tmp_path):
    quantized = export_onnx_int8(path, tmp_path / "model.int8.onnx", calibration)
    operators = _operators(quantized)
    assert not operators.keys() & {"Cast", "Mul"}
    graph = onnx.load(quantized).graph
    makers = {output: node.op_type for node in graph.node for output in node.output}
    assert (makers["logits"], makers["probabilities"]) == ("Gemm", "Softmax")
    scales = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    first = next(node for node in graph.node if node.op_type == "DequantizeLinear")
    assert scales[first.input[1]] == np.float32(1 / 255)
    weights = [array for array in scales.values() if array.dtype == np.int8 and array.ndim > 1]
    assert [array.shape for array in weights] == [(32, 1, 3, 3), (64, 32, 3, 3), (1600, 10)]
    floats = {array.size for array in scales.values() if array.dtype == np.float32}
    assert floats == {1, 10, 32, 64}  # one scale a channel
    assert any(array.dtype == np.int32 for array in scales.values())  # biases


def test_a_layer_can_be_kept_in_floats(path, calibration, tmp_path):
    kept = export_onnx_int8(path, tmp_path / "model.int8.onnx", calibration, keep_float=("conv2",))
    shapes = {tuple(tensor.dims): tensor.data_type for tensor in onnx.load(kept).graph.initializer}
    assert shapes[(64, 32, 3, 3)] == onnx.TensorProto.FLOAT
    assert shapes[(32, 1, 3, 3)] == shapes[(1600, 10)] == onnx.TensorProto.INT8


@pytest.mark.parametrize(
    ("keep_float", "samples", "message"),
    [
        (("conv3",), 10, r"the model has no layer 'conv3', but conv\d, conv\d"),
        (("conv1", "conv2", "pool1", "pool2", "flatten", "logits"), 10, "--keep-float names all"),
        ((), 0, "needs training samples"),
    ],
)
def test_what_cannot_be_quantized_is_refused(path, calibration, tmp_path, keep_float, samples, message):
    feed = {"image": calibration["image"][:samples]}
    with pytest.raises(ExportError, match=message) as told:
        export_onnx_int8(path, tmp_path / "model.int8.onnx", feed, keep_float=keep_float)
    assert "\n" not in str(told.value)
    assert not (tmp_path / "model.int8.onnx").exists()


def test_an_operator_with_a_constant_beyond_half_precision_stays_in_single(tmp_path):
    x = keras.Input((4,), name="x")
    model = keras.Model(x, keras.layers.Dense(3, name="sum")(keras.layers.Rescaling(1e6)(x)))
    path = export_onnx(model, tmp_path / "model.onnx")
    half = export_onnx_fp16(path, tmp_path / "model.fp16.onnx")
    feed = {"x": np.full((2, 4), 1e-5, np.float32)}
    (expected,), (answer,) = (onnxruntime.InferenceSession(file).run(None, feed) for file in (path, half))
    np.testing.assert_allclose(answer, expected, rtol=1e-2)
