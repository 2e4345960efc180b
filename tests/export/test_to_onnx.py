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
import onnxruntime
import pytest
import tensorflow as tf
from keras import layers as kl

from export.errors import ConversionError
from export.signature import name_outputs
from export.to_onnx import export_onnx
from export.to_onnx_fp16 import export_onnx_fp16
from export.to_onnx_int8 import export_onnx_int8
from training.architectures import build_built_in, served_form

ROOT = Path(__file__).resolve().parents[2]
VOCABULARY = 20
FREE = 9  # how long a free dimension is in these tests


def _default():
    return served_form(build_built_in("notebook", (28, 28, 1), 10, 0.5), raw_pixels=True)


def _compact():
    return served_form(build_built_in("compact", (28, 28, 1), 10, 0.5), raw_pixels=True)


def _sequential():
    x = keras.Input((12, 12, 3), name="x")
    parts = [x, kl.Conv2D(4, 3, activation="relu"), kl.MaxPooling2D(2), kl.Flatten(), kl.Dense(3, "softmax")]
    return keras.Sequential(parts)


@keras.saving.register_keras_serializable("tests")
class _Net(keras.Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.hidden, self.head = kl.Dense(8, activation="relu"), kl.Dense(3, activation="softmax")

    def call(self, x):
        return self.head(self.hidden(x))


def _subclassed():
    x = keras.Input((10,), name="x")
    return keras.Model(x, _Net(name="net")(x))


def _several():
    a, b = keras.Input((8,), name="a"), keras.Input((6,), name="b")
    joined = kl.Concatenate()([kl.Dense(5, "relu")(a), kl.Dense(4, "tanh")(b)])
    return keras.Model(
        [a, b], [kl.Dense(3, "softmax", name="kind")(joined), kl.Dense(1, name="value")(joined)]
    )


def _convolutions():
    x = keras.Input((16, 16, 3), name="x")
    y = kl.BatchNormalization()(kl.Conv2D(8, 3, padding="same", use_bias=False)(x))
    y = kl.BatchNormalization()(kl.DepthwiseConv2D(3, padding="same", strides=2)(kl.ReLU(6.0)(y)))
    y = kl.SeparableConv2D(8, 3, padding="same", activation="gelu")(kl.Activation("swish")(y))
    return keras.Model(x, kl.Dense(4, "softmax")(kl.GlobalAveragePooling2D()(y)))


def _residual():
    x = keras.Input((12, 12, 3), name="x")
    first = kl.Conv2D(6, 3, padding="same")(x)
    y = kl.Conv2D(6, 3, padding="same")(kl.ReLU()(kl.BatchNormalization()(first)))
    y = kl.Concatenate()([kl.Add()([y, first]), x])
    y = kl.UpSampling2D(2)(kl.AveragePooling2D(2)(kl.Conv2D(8, 3, strides=2, padding="same")(y)))
    return keras.Model(x, kl.Dense(4, "sigmoid")(kl.Flatten()(y)))


def _recurrent(layer):
    def build():
        x = keras.Input((7, 5), name="x")
        return keras.Model(x, kl.Dense(3, "softmax")(layer()(x)))

    return build


def _sequences():
    x = keras.Input((None, 5), name="x")
    y = kl.GRU(4, return_sequences=True)(kl.LSTM(6, return_sequences=True)(x))
    return keras.Model(x, kl.Dense(2)(y))


def _words():
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    y = kl.LSTM(5)(kl.Embedding(VOCABULARY, 6, mask_zero=True)(tokens))
    return keras.Model(tokens, kl.Dense(1, "sigmoid")(y))


def _attention(length):
    def build():
        tokens = keras.Input((length,), dtype="int32", name="tokens")
        x = kl.Embedding(VOCABULARY, 16)(tokens)
        x = kl.LayerNormalization()(x + kl.MultiHeadAttention(2, 8)(x, x))
        y = kl.Dense(16)(kl.Dense(32, "gelu")(x))
        y = kl.GlobalAveragePooling1D()(kl.LayerNormalization()(x + y))
        return keras.Model(tokens, kl.Dense(3, "softmax")(y))

    return build


def _regression():
    x = keras.Input((5,), name="x")
    return keras.Model(x, kl.Dense(1)(kl.Dense(7, "elu")(x)))


def _labels():
    image = keras.Input((10, 10, 3), dtype="uint8", name="image")
    y = kl.Conv2D(5, 3, activation="leaky_relu")(kl.Rescaling(1 / 255)(image))
    return keras.Model(image, kl.Dense(4, "sigmoid")(kl.GlobalMaxPooling2D()(y)))


def _any_size():
    x = keras.Input((None, None, 3), name="x")
    y = kl.Conv2D(6, 3, padding="same", activation="relu")(x)
    head = kl.Dense(3, "softmax", name="kind")(kl.GlobalAveragePooling2D()(kl.MaxPooling2D(2)(y)))
    return keras.Model(x, {"mask": kl.Conv2D(2, 1, name="mask")(y), "kind": head})


def _preprocessing():
    image = keras.Input((20, 24, 3), dtype="uint8", name="image")
    y = kl.Rescaling(1 / 255)(kl.Resizing(12, 12)(image))
    y = kl.Normalization(mean=[0.4, 0.5, 0.6], variance=[0.1, 0.2, 0.3])(y)
    y = kl.ZeroPadding2D(1)(kl.CenterCrop(8, 8)(kl.Conv2D(4, 3, activation="relu")(y)))
    return keras.Model(image, kl.Dense(3, "softmax")(kl.Flatten()(y)))


def _resizing_any_size():
    x = keras.Input((None, None, 3), name="x")
    return keras.Model(x, kl.Dense(3, "softmax")(kl.Flatten()(kl.Resizing(6, 6)(x))))


def _signal():
    x = keras.Input((16, 2), name="x")
    y = kl.MaxPooling1D(2)(kl.Conv1D(4, 3, padding="causal", activation="relu")(x))
    return keras.Model(x, kl.Dense(3)(kl.Flatten()(kl.Conv1DTranspose(3, 3, strides=2)(y))))


def _segmentation():
    x = keras.Input((16, 16, 1), name="x")
    wide = kl.Conv2D(4, 3, padding="same", activation="relu")(x)
    deep = kl.Conv2D(6, 3, padding="same", activation="relu")(kl.MaxPooling2D(2)(wide))
    y = kl.Concatenate()([kl.Conv2DTranspose(4, 2, strides=2)(deep), wide])
    return keras.Model(x, kl.Conv2D(1, 1, activation="sigmoid")(y))


def _shapes():
    x = keras.Input((24,), name="x")
    y = kl.Conv2D(2, 3)(kl.Permute((2, 1, 3))(kl.Reshape((4, 6, 1))(x)))
    return keras.Model(x, kl.Dense(2)(kl.PReLU()(kl.Flatten()(kl.GroupNormalization(1)(y)))))


def _shared():
    dense = kl.Dense(6, "relu")
    a, b = keras.Input((6,), name="a"), keras.Input((6,), name="b")
    return keras.Model([a, b], kl.Dense(2)(kl.Multiply()([dense(a), dense(dense(b))])))


def _nested():
    inner = keras.Sequential([keras.Input((8, 8, 3)), kl.Conv2D(4, 3), kl.Flatten()], name="inner")
    x = keras.Input((8, 8, 3), name="x")
    return keras.Model(x, kl.Dense(2)(inner(x)))


KINDS = {
    "default": _default,
    "compact": _compact,
    "sequential": _sequential,
    "subclassed": _subclassed,
    "several inputs and outputs": _several,
    "convolutions and batch normalisation": _convolutions,
    "residual and concatenate": _residual,
    "LSTM": _recurrent(lambda: kl.LSTM(6)),
    "GRU": _recurrent(lambda: kl.GRU(6)),
    "bidirectional LSTM": _recurrent(lambda: kl.Bidirectional(kl.LSTM(4))),
    "bidirectional GRU": _recurrent(lambda: kl.Bidirectional(kl.GRU(4))),
    "sequences of any length": _sequences,
    "masked words": _words,
    "attention": _attention(8),
    "attention of any length": _attention(None),
    "regression": _regression,
    "several labels": _labels,
    "any size": _any_size,
    "preprocessing": _preprocessing,
    "resizing any size": _resizing_any_size,
    "signal": _signal,
    "segmentation": _segmentation,
    "shapes": _shapes,
    "shared layer": _shared,
    "nested": _nested,
}


def _build(build):
    """A model whose biases and statistics are not zero, so that none may get lost."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    model, random = build(), np.random.default_rng(0)
    for weight in model.weights:
        if weight.name == "moving_variance":
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
        elif weight.name in ("bias", "beta", "moving_mean"):
            weight.assign(random.normal(0, 0.1, weight.shape))
    return model


def _feed(model, count, seed=1):
    random, feed = np.random.default_rng(seed), {}
    for tensor in model.inputs:
        shape = (count, *(FREE if size is None else size for size in tensor.shape[1:]))
        if tensor.dtype == "float32":
            feed[tensor.name] = random.normal(0, 1, shape).astype(np.float32)
        else:
            feed[tensor.name] = random.integers(0, 256 if tensor.dtype == "uint8" else VOCABULARY, shape)
            feed[tensor.name] = feed[tensor.name].astype(tensor.dtype)
    return feed


def _expected(model, feed):
    """Keras's own answer, in a graph, as parity runs it: eagerly Resizing rounds, in a graph it does not."""
    inputs = feed if len(feed) > 1 else next(iter(feed.values()))
    outputs = tf.function(lambda given: model(given, training=False))(inputs)
    return {name: np.asarray(value) for name, value in name_outputs(model, outputs).items()}


def _run(path, feed):
    session = onnxruntime.InferenceSession(path)
    return {
        output.name: value
        for output, value in zip(session.get_outputs(), session.run(None, feed), strict=True)
    }


def _differ(answer, expected):
    """The largest difference of any output, as a share of its largest value, at least 1."""
    assert answer.keys() == expected.keys()
    for name, values in answer.items():
        assert (values.shape, values.dtype) == (expected[name].shape, expected[name].dtype), name
    return max(
        np.abs(answer[name] - values).max() / max(1, np.abs(values).max())
        for name, values in expected.items()
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_computes_as_in_keras(kind, tmp_path):
    model = _build(KINDS[kind])
    path = export_onnx(model, tmp_path / "model.onnx")
    half = export_onnx_fp16(path, tmp_path / "model.fp16.onnx")
    quantized = export_onnx_int8(path, tmp_path / "model.int8.onnx", _feed(model, 60, seed=2))
    for count in (1, 2, 7):
        feed = _feed(model, count)
        expected = _expected(model, feed)
        assert _differ(_run(path, feed), expected) < 1e-5
        assert _differ(_run(half, feed), expected) < 5e-3
        assert _differ(_run(quantized, feed), expected) < 0.1
    for other in (path, half, quantized):
        _check_interface(other, model)


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
def test_applications_compute_as_in_keras(name, tmp_path):
    application = getattr(keras.applications, name)
    model = _build(lambda: application(input_shape=(64, 64, 3), weights=None, classes=10))
    path = export_onnx(model, tmp_path / "model.onnx")
    half = export_onnx_fp16(path, tmp_path / "model.fp16.onnx")
    quantized = export_onnx_int8(path, tmp_path / "model.int8.onnx", _feed(model, 60, seed=2))
    feed = _feed(model, 3)
    expected = _expected(model, feed)
    assert _differ(_run(path, feed), expected) < 1e-5
    assert _differ(_run(half, feed), expected) < 5e-3
    assert _differ(_run(quantized, feed), expected) < 0.1
    operators = Counter(node.op_type for node in onnx.load(path).graph.node)
    assert operators["BatchNormalization"] == operators["Shape"] == 0
    assert operators["Transpose"] == 1  # from Keras's order of axes to ONNX's
    assert half.stat().st_size < 0.55 * path.stat().st_size
    assert quantized.stat().st_size < 0.35 * path.stat().st_size


def test_the_default_graph_is_as_plain_as_the_model(tmp_path):
    graph = onnx.load(export_onnx(_build(_default), tmp_path / "model.onnx")).graph
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
def test_no_arithmetic_on_shapes_is_left(kind, tmp_path):
    graph = onnx.load(export_onnx(_build(KINDS[kind]), tmp_path / "model.onnx")).graph
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
def test_einsums_compute_as_in_numpy(equation, left, right, tmp_path):
    inputs = [keras.Input(left, name="a"), keras.Input(right, name="b")]
    model = keras.Model(inputs, _Einsum(equation)(inputs))
    feed = _feed(model, 3)
    (answer,) = _run(export_onnx(model, tmp_path / "model.onnx"), feed).values()
    np.testing.assert_allclose(answer, np.einsum(equation, feed["a"], feed["b"]), rtol=1e-4, atol=1e-5)


def test_free_dimensions_have_names(tmp_path):
    def dimensions(build):
        graph = onnx.load(export_onnx(_build(build), tmp_path / "model.onnx")).graph
        return {
            value.name: [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
            for value in [*graph.input, *graph.output]
        }

    assert dimensions(_any_size)["x"] == ["batch", "height", "width", 3]
    sequences = dimensions(_sequences)
    assert sequences["x"] == ["batch", "x_dim1", 5]
    assert sequences["dense"] == ["batch", "dense_dim1", 2]


def test_metadata_say_how_to_feed_and_read_the_file(tmp_path):
    path = export_onnx(_build(_default), tmp_path / "model.onnx", labels=("zero", "ä"))
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
from export.to_onnx import export_onnx
from export.to_onnx_fp16 import export_onnx_fp16
from export.to_onnx_int8 import export_onnx_int8
out = Path(sys.argv[2])
for checkpoint in sorted(Path(sys.argv[1]).glob("*.keras")):
    model = keras.models.load_model(checkpoint)
    path = export_onnx(model, out / f"{checkpoint.stem}.onnx", labels=("a", "b"))
    export_onnx_fp16(path, out / f"{checkpoint.stem}.fp16.onnx")
    feed = np.load(checkpoint.with_suffix(".npz"))
    export_onnx_int8(path, out / f"{checkpoint.stem}.int8.onnx", dict(feed))
"""


def test_the_same_checkpoint_gives_the_same_bytes_whatever_the_hash_seed(tmp_path):
    for kind in ("default", "bidirectional GRU", "attention"):
        model = _build(KINDS[kind])
        model.save(tmp_path / f"{kind}.keras")
        np.savez(tmp_path / f"{kind}.npz", **_feed(model, 20))
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
