"""Models of every kind that a converter has to cope with, and how to compare what runs them with Keras."""

from collections.abc import Callable

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
from keras import layers as kl

from export.converters.signature import name_outputs
from training.architectures import build_built_in, served_form

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


def _grouped():
    x = keras.Input((12, 12, 2), name="x")
    y = kl.Conv2D(4, 3, dilation_rate=2, padding="same", groups=2)(x)
    return keras.Model(x, kl.Flatten()(kl.GlobalAveragePooling2D(keepdims=True)(y)))


def _causal():
    x = keras.Input((None, 8), name="x")
    return keras.Model(x, kl.Dense(2)(kl.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)))


def _misleading():
    """TensorFlow's own names for the calls of `conv2d` are the names of the other layers."""
    x = keras.Input((8, 8, 1), name="x")
    y = kl.Conv2D(2, 3, name="conv2d_1_1")(
        kl.Conv2D(2, 3, name="conv2d")(kl.Conv2D(2, 3, name="conv2d_1")(x))
    )
    return keras.Model(x, kl.Dense(2, name="Conv")(kl.Flatten(name="Gemm")(y)))


def _nothing():
    x = keras.Input((4,), name="x")
    return keras.Model(x, kl.Dropout(0.5, name="y")(x))


def _mixed():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return _sequential()
    finally:
        keras.config.set_dtype_policy(before)


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
    "grouped convolutions": _grouped,
    "masked attention": _causal,
    "layers with misleading names": _misleading,
    "no layer that computes": _nothing,
    "mixed precision": _mixed,
}


class Zoo:
    """Builds models, feeds them, and compares answers."""

    def build(self, kind: str | Callable[[], keras.Model]) -> keras.Model:
        """A model whose biases and statistics are not zero, so that none may get lost."""
        keras.backend.clear_session()
        keras.utils.set_random_seed(0)
        build = kind if callable(kind) else KINDS[kind]
        model, random = build(), np.random.default_rng(0)
        for weight in model.weights:
            if weight.name == "moving_variance":
                weight.assign(random.uniform(0.5, 1.5, weight.shape))
            elif weight.name in ("bias", "beta", "moving_mean"):
                weight.assign(random.normal(0, 0.1, weight.shape))
        return model

    def feed(self, model: keras.Model, count: int, seed: int = 1) -> dict[str, np.ndarray]:
        """Random samples for every input."""
        random, feed = np.random.default_rng(seed), {}
        for tensor in model.inputs:
            shape = (count, *(FREE if size is None else size for size in tensor.shape[1:]))
            if tensor.dtype == "float32":
                feed[tensor.name] = random.normal(0, 1, shape).astype(np.float32)
            else:
                feed[tensor.name] = random.integers(0, 256 if tensor.dtype == "uint8" else VOCABULARY, shape)
                feed[tensor.name] = feed[tensor.name].astype(tensor.dtype)
        return feed

    def expected(self, model: keras.Model, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Keras's own answer in a graph, as parity runs it: Resizing of uint8 rounds in eager mode alone."""
        inputs = feed if len(feed) > 1 else next(iter(feed.values()))
        outputs = tf.function(lambda given: model(given, training=False))(inputs)
        return {name: np.asarray(value) for name, value in name_outputs(model, outputs).items()}

    def run_onnx(self, path, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What an ONNX file answers."""
        session = onnxruntime.InferenceSession(path)
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, feed), strict=True))

    def difference(self, answer: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> float:
        """The largest of any output, as a share of its largest value, at least 1."""
        assert answer.keys() == expected.keys()
        for name, values in answer.items():
            assert (values.shape, values.dtype) == (expected[name].shape, expected[name].dtype), name
        return max(
            np.abs(answer[name] - values).max() / max(1, np.abs(values).max())
            for name, values in expected.items()
        )


@pytest.fixture(scope="session")
def zoo() -> Zoo:
    return Zoo()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param
