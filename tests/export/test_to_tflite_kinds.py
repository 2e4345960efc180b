"""Every kind of model either becomes a TFLite file that answers as Keras does, or is refused in one line."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from export.converters.signature import FixedShape
from export.converters.to_saved_model import export_saved_model
from export.converters.to_tflite import TFLiteOptions, export_tflite
from export.errors import ConversionError
from export.formats import FORMATS, Format
from export.runners import KerasRunner, SavedModelRunner, open_runner
from export.sessions import SessionSettings
from export.tflite_runner import TFLiteRunner

SAMPLES = 24
Arrays = dict[str, np.ndarray]
Kind = Callable[[], tuple[keras.Model, Arrays]]


def random(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def pixels(*shape: int) -> np.ndarray:
    return random(0).integers(0, 256, (SAMPLES, *shape)).astype(np.uint8)


def floats(*shape: int) -> np.ndarray:
    return random(1).normal(size=(SAMPLES, *shape)).astype(np.float32)


def tokens(*shape: int) -> np.ndarray:
    return random(2).integers(0, 50, (SAMPLES, *shape)).astype(np.int32)


def chain(
    samples: np.ndarray, *steps: Any, shape: tuple[int | None, ...] | None = None
) -> tuple[keras.Model, Arrays]:
    """A functional model of one input `x`."""
    tensor = x = keras.Input(shape or samples.shape[1:], dtype=samples.dtype.name, name="x")
    for step in steps:
        tensor = step(tensor)
    return keras.Model(x, tensor), {"x": samples}


def sequential():
    model = keras.Sequential(
        [keras.Input((20,), name="x"), layers.Dense(16, "relu"), layers.Dense(5, "softmax")]
    )
    return model, {"x": floats(20)}


def subclassed():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = layers.Dense(8, "relu"), layers.Dense(3)

        def call(self, x):
            return self.second(self.first(x))

    return chain(floats(10), Own())


def several_inputs_and_outputs():
    picture = keras.Input((8, 8, 3), dtype="uint8", name="picture")
    facts = keras.Input((4,), name="facts")
    tensor = layers.Conv2D(4, 3, activation="relu")(layers.Rescaling(1 / 255)(picture))
    tensor = layers.GlobalAveragePooling2D()(tensor)
    tensor = layers.Concatenate()([tensor, layers.Dense(4, "relu")(facts)])
    outputs = [layers.Dense(3, "softmax", name="kind")(tensor), layers.Dense(1, name="size")(tensor)]
    return keras.Model([picture, facts], outputs), {"picture": pixels(8, 8, 3), "facts": floats(4)}


def inputs_out_of_order():
    first, second = keras.Input((3,), name="zebra"), keras.Input((3,), name="ape")
    model = keras.Model([first, second], layers.Dense(2)(first - 2 * second))
    return model, {"ape": floats(3) + 1, "zebra": floats(3)}


def inputs_in_a_dict():
    inputs = {name: keras.Input((3,), name=name) for name in ("zebra", "ape")}
    model = keras.Model(inputs, {"out": layers.Dense(2)(inputs["zebra"] - 2 * inputs["ape"])})
    return model, {"ape": floats(3) + 1, "zebra": floats(3)}


def residual_and_separable():
    def block(tensor):
        other = layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(tensor))
        tensor = layers.Add()([tensor, layers.Conv2D(8, 1)(layers.ReLU()(other))])
        return layers.Concatenate()([tensor, layers.SeparableConv2D(4, 3, padding="same")(tensor)])

    return chain(
        pixels(12, 12, 3),
        layers.Rescaling(1 / 127.5, offset=-1),
        layers.Conv2D(8, 3, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(6.0),
        block,
        layers.GlobalAveragePooling2D(),
        layers.Dense(4, "softmax"),
    )


def attention():
    def block(tensor):
        tensor = layers.LayerNormalization()(tensor + layers.MultiHeadAttention(2, 4)(tensor, tensor))
        return layers.LayerNormalization()(tensor + layers.Dense(8)(layers.Dense(16, "gelu")(tensor)))

    return chain(
        tokens(12),
        layers.Embedding(50, 8),
        block,
        layers.GlobalAveragePooling1D(),
        layers.Dense(3, "softmax"),
    )


def normalized():
    normalization = layers.Normalization(mean=[120, 110, 100], variance=[3000, 4000, 5000])
    return chain(pixels(12, 12, 3), normalization, layers.Conv2D(8, 3), layers.Flatten(), layers.Dense(4))


def regression():
    samples = floats(10) * 3 + 5
    normalization = layers.Normalization()
    normalization.adapt(samples)
    return chain(samples, normalization, layers.Dense(8, "relu"), layers.Dense(1))


KINDS: dict[str, Kind] = {
    "sequential": sequential,
    "subclassed": subclassed,
    "several inputs and outputs": several_inputs_and_outputs,
    "inputs out of order": inputs_out_of_order,
    "inputs in a dict": inputs_in_a_dict,
    "residual and separable": residual_and_separable,
    "attention": attention,
    "normalized": normalized,
    "regression": regression,
    "lstm": lambda: chain(floats(6, 5), layers.LSTM(8), layers.Dense(3)),
    "gru": lambda: chain(floats(6, 5), layers.GRU(8), layers.Dense(3)),
    "bidirectional": lambda: chain(
        floats(5, 5), layers.Bidirectional(layers.LSTM(6, return_sequences=True)), layers.Dense(3)
    ),
    "embedding": lambda: chain(
        tokens(12), layers.Embedding(50, 8), layers.GlobalAveragePooling1D(), layers.Dense(3)
    ),
    "masked": lambda: chain(
        tokens(6), layers.Embedding(50, 8, mask_zero=True), layers.LSTM(6), layers.Dense(3)
    ),
    "multi-label": lambda: chain(floats(10), layers.Dense(8, "tanh"), layers.Dense(4, "sigmoid")),
    "elu": lambda: chain(floats(10), layers.Dense(8, "elu", name="bent"), layers.Dense(1, "sigmoid")),
    "variable size": lambda: chain(
        pixels(12, 16, 3),
        layers.Rescaling(1 / 255),
        layers.Conv2D(8, 3, strides=2, padding="same"),
        layers.GlobalMaxPooling2D(),
        layers.Dense(4),
        shape=(None, None, 3),
    ),
    "dense outputs": lambda: chain(
        pixels(12, 12, 1),
        layers.Rescaling(1 / 255),
        layers.Conv2D(8, 3, padding="same"),
        layers.UpSampling2D(2, interpolation="bilinear"),
        layers.Conv2DTranspose(4, 3, padding="same"),
    ),
    "resizing": lambda: chain(
        pixels(16, 16, 3),
        layers.Resizing(12, 12),
        layers.Rescaling(1 / 255),
        layers.Conv2D(8, 3),
        layers.Flatten(),
        layers.Dense(4),
    ),
    "dense on pixels": lambda: chain(
        pixels(8, 8, 1), layers.Rescaling(1 / 127.5, offset=-1), layers.Flatten(), layers.Dense(4)
    ),
    "half precision": lambda: chain(
        floats(8, 8, 3), layers.Conv2D(4, 3, dtype="mixed_float16", name="halved"), layers.Flatten()
    ),
    "unknown operator": lambda: chain(floats(4), layers.Dense(4), keras.ops.tanh, keras.ops.erfinv),
}
REFUSED = {
    ("masked", Format.TFLITE_INT8): "SELECT_V2",
    (
        "elu",
        Format.TFLITE_INT8,
    ): "layer bent has no integer form (ELU), which tflite-int8 needs: add --keep-float",
    ("half precision", Format.TFLITE): "layer halved computes in float16",
    ("half precision", Format.TFLITE_INT8): "layer halved computes in float16",
    ("unknown operator", Format.TFLITE): "erfinv/Erfinv needs tf.Erfinv, which TFLite has not",
    ("unknown operator", Format.TFLITE_INT8): "erfinv/Erfinv needs tf.Erfinv, which TFLite has not",
}
# Largest difference, as a share of the largest answer. The weights are untrained: integers differ widely.
BOUNDS = {Format.TFLITE: 1e-4, Format.TFLITE_INT8: 0.12}


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    keras.utils.set_random_seed(1)
    model, samples = KINDS[request.param]()
    with KerasRunner(model) as runner:
        return request.param, model, samples, runner.run(samples)


@pytest.mark.parametrize("target", BOUNDS)
def test_tflite_answers_as_keras_or_is_refused(kind, target, tmp_path):
    name, model, samples, expected = kind
    options = TFLiteOptions(
        calibration=samples, sample_shapes={key: array.shape[1:] for key, array in samples.items()}
    )
    path = tmp_path / FORMATS[target].path
    if reason := REFUSED.get((name, target)):
        with pytest.raises(ConversionError) as caught:
            export_tflite(model, path, target, options)
        assert reason in str(caught.value)
        assert "\n" not in str(caught.value)
        assert not path.exists()
        return
    export_tflite(model, path, target, options)
    with open_runner(path, target, SessionSettings()) as runner:
        answer = runner.run(samples)
    assert set(answer) == set(expected)
    for output, values in expected.items():
        assert answer[output].shape == values.shape
        assert abs(answer[output] - values).max() <= BOUNDS[target] * abs(values).max()


def test_saved_model_answers_as_keras_for_any_batch(kind, tmp_path):
    name, model, samples, expected = kind
    if name == "half precision":
        pytest.skip("its rounding depends on how TensorFlow fuses the graph")
    runner = SavedModelRunner(export_saved_model(model, tmp_path / "saved_model"))
    for count in (1, 7):
        answer = runner.run({key: array[:count] for key, array in samples.items()})
        assert set(answer) == set(expected)
        for output, values in expected.items():
            np.testing.assert_allclose(answer[output], values[:count], rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning")
def test_int8_answers_are_those_of_tensorflows_own_conversion(tmp_path):
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    model, samples = chain(
        floats(8, 8, 3), layers.Conv2D(4, 3, activation="relu"), layers.Flatten(), layers.Dense(3, "softmax")
    )
    path = export_tflite(model, tmp_path / "ours", Format.TFLITE_INT8, TFLiteOptions(calibration=samples))
    saved_model = export_saved_model(model, tmp_path / "saved_model", fixed=FixedShape())
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ({"x": sample[None]} for sample in samples["x"])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    (tmp_path / "theirs").write_bytes(converter.convert())
    answers = [
        TFLiteRunner(file, reference_kernels=True).run(samples) for file in (path, tmp_path / "theirs")
    ]
    np.testing.assert_array_equal(*(next(iter(answer.values())) for answer in answers))


def with_settled_statistics(model: keras.Model, samples: np.ndarray) -> tuple[keras.Model, Arrays]:
    """A model whose batch normalizations know the samples, as after training; else its activations vanish."""
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.0
    model(samples, training=True)
    return model, {model.inputs[0].name: samples}


@pytest.mark.slow
@pytest.mark.parametrize("target", [target for target, spec in FORMATS.items() if "tflite" in target])
@pytest.mark.parametrize("name", ["MobileNetV2", "EfficientNetB0"])
def test_applications_become_tflite(name, target, tmp_path):
    keras.utils.set_random_seed(1)
    build = getattr(keras.applications, name)
    samples = pixels(64, 64, 3)[:8].astype(np.float32)
    if name == "MobileNetV2":
        samples = samples / np.float32(127.5) - 1
    application = build(input_shape=(64, 64, 3), weights=None, classes=10, classifier_activation=None)
    model, feed = with_settled_statistics(application, samples)
    path = export_tflite(model, tmp_path / "model.tflite", target, TFLiteOptions(calibration=feed))
    with open_runner(path, target, SessionSettings(), reference_kernels=False) as runner:
        (answer,) = runner.run(feed).values()
    expected = np.asarray(model(samples))
    # So deep a net of random weights amplifies any rounding a thousandfold: alike is all that it can be.
    least = {Format.TFLITE: 0.999999, Format.TFLITE_FP16: 0.999}.get(target, 0.7)
    assert np.corrcoef(answer.ravel(), expected.ravel())[0, 1] >= least


@pytest.mark.slow
def test_a_model_whose_activations_vanish_is_refused_rather_than_crashing(tmp_path):
    keras.utils.set_random_seed(1)
    model = keras.applications.MobileNetV2((96, 96, 3), weights=None, classes=10, alpha=0.35)
    options = TFLiteOptions(calibration={model.inputs[0].name: floats(96, 96, 3)[:4]})
    with pytest.raises(ConversionError, match="layer predictions gets values that hardly differ"):
        export_tflite(model, tmp_path / "model.tflite", Format.TFLITE_INT8, options)
