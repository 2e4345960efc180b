"""Users' models of every kind, from a `.keras` file and an `.npz` file to a published version.

Each is trained for moments on samples that a small rule labels. Whatever a format makes of it: it passes, the
data cannot decide, it is refused with a reason, or quantizing it costs too much; never a crash, never an
unexpected error.
"""

import json
import re

import keras
import numpy as np
import pytest
from keras import layers

from export.formats import FORMATS, Format, Tier

CUSTOM = '''
import keras


@keras.saving.register_keras_serializable("tests")
class Scale(keras.layers.Layer):
    """Multiplies every feature by a weight of its own."""

    def build(self, shape):
        self.factor = self.add_weight(shape=(shape[-1],), initializer="ones")

    def call(self, x):
        return x * self.factor


@keras.saving.register_keras_serializable("tests")
class Tagger(keras.Model):
    """A subclassed model with several labels a sample."""

    def __init__(self, **options):
        super().__init__(**options)
        self.scale, self.hidden = Scale(), keras.layers.Dense(24, "relu")
        self.tags = keras.layers.Dense(3, "sigmoid")

    def call(self, x):
        return self.tags(self.hidden(self.scale(x)))
'''

TRAIN, TEST = 2000, 3000


def features(size, seed=0):
    return np.random.default_rng(seed).normal(size=(TRAIN + TEST, size)).astype(np.float32)


def pictures(channels, side=16):
    """Noise with a bright quarter, whose place is the class."""
    generator = np.random.default_rng(1)
    classes = generator.integers(0, 4, TRAIN + TEST)
    images = generator.integers(0, 90, (TRAIN + TEST, side, side, channels))
    half = side // 2
    for corner, (top, left) in enumerate([(0, 0), (0, half), (half, 0), (half, half)]):
        images[classes == corner, top : top + half, left : left + half] += 120
    return images.astype(np.uint8), classes


def dense():
    x = features(8)
    y = (x[:, :3] @ np.array([[4, -1, 0], [0, 4, -1], [-1, 0, 4]])).argmax(axis=1)
    model = keras.Sequential(
        [
            keras.Input((8,), name="features"),
            layers.Dense(32, "relu"),
            layers.Dense(3, "softmax", name="kind"),
        ]
    )
    return model, {"x": x}, {"y": y}, "sparse_categorical_crossentropy"


def two_by_two():
    """Two inputs, and two outputs: classes and a value."""
    left, right = features(6), features(4, seed=3)
    kind = (left[:, 0] + right[:, 0] > 0).astype(int) + 2 * (left[:, 1] > 0)
    value = (left[:, :1] - right[:, 1:2]).astype(np.float32)
    a, b = keras.Input((6,), name="left"), keras.Input((4,), name="right")
    joined = layers.Dense(48, "relu")(layers.Concatenate()([a, b]))
    model = keras.Model(
        [a, b],
        {
            "kind": layers.Dense(4, "softmax", name="kind")(joined),
            "value": layers.Dense(1, name="value")(joined),
        },
    )
    losses = {"kind": "sparse_categorical_crossentropy", "value": "mse"}
    return model, {"left": left, "right": right}, {"kind": kind, "value": value}, losses


def residual():
    """Colour pictures, batch normalisation, depthwise and separable convolutions, a residual."""
    images, classes = pictures(3)
    x = keras.Input((16, 16, 3), dtype="uint8", name="picture")
    y = layers.Rescaling(1 / 255)(x)
    y = start = layers.Conv2D(8, 3, padding="same", activation="relu")(y)
    y = layers.ReLU()(layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(y)))
    y = layers.Add()([layers.SeparableConv2D(8, 3, padding="same")(y), start])
    y = layers.Flatten()(layers.AveragePooling2D(4)(y))
    model = keras.Model(x, layers.Softmax(name="place")(layers.Dense(4, name="scores")(y)))
    return model, {"picture": images}, {"y": classes}, "sparse_categorical_crossentropy"


def recurrent():
    generator = np.random.default_rng(5)
    x = generator.normal(size=(TRAIN + TEST, 6, 3)).astype(np.float32)
    y = (x.sum(axis=(1, 2)) > 0).astype(int)
    model = keras.Sequential(
        [
            keras.Input((6, 3), name="sequence"),
            layers.Bidirectional(layers.LSTM(8, return_sequences=True)),
            layers.GRU(8),
            layers.Dense(2, "softmax", name="sign"),
        ]
    )
    return model, {"sequence": x}, {"y": y}, "sparse_categorical_crossentropy"


def attention():
    """Tokens through an embedding, attention and layer normalisation to a binary head."""
    x = np.random.default_rng(6).integers(0, 20, (TRAIN + TEST, 8)).astype(np.int32)
    y = (x < 5).any(axis=1).astype(int)
    tokens = keras.Input((8,), dtype="int32", name="tokens")
    z = layers.Embedding(20, 16)(tokens)
    z = layers.LayerNormalization()(z + layers.MultiHeadAttention(2, 8)(z, z))
    z = layers.GlobalAveragePooling1D()(layers.Dense(16, "relu")(z))
    model = keras.Model(tokens, layers.Dense(1, "sigmoid", name="found")(z))
    return model, {"tokens": x}, {"y": y}, "binary_crossentropy"


def tagger(folder):
    """A subclassed model with a layer of its own, several labels a sample."""
    (folder / "own.py").write_text(CUSTOM)
    names = {}
    exec(compile(CUSTOM, "own.py", "exec"), names)  # noqa: S102  (the text above)
    x = features(6, seed=8)
    return names["Tagger"](), {"x": x}, {"y": (x[:, :3] > 0).astype(np.uint8)}, "binary_crossentropy"


def regression():
    x = features(5, seed=9)
    mean = layers.Normalization(name="normalize")
    mean.adapt(x[:TRAIN])
    y = (x[:, :2] * 3 + 1).astype(np.float32)
    model = keras.Sequential(
        [keras.Input((5,), name="x"), mean, layers.Dense(32, "relu"), layers.Dense(2, name="values")]
    )
    return model, {"x": x}, {"y": y}, "mse"


def any_size():
    """Pictures of any size, resized within the model."""
    images, classes = pictures(1, side=20)
    x = keras.Input((None, None, 1), dtype="float32", name="picture")
    y = layers.Rescaling(1 / 127.5, offset=-1)(layers.Resizing(16, 16)(x))
    y = layers.Flatten()(layers.MaxPooling2D(4)(layers.Conv2D(6, 3, padding="same", activation="relu")(y)))
    model = keras.Model(x, layers.Dense(4, name="scores")(y))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return model, {"picture": images.astype(np.float32)}, {"y": classes}, loss


def write(folder, model, inputs, targets, loss):
    """Train for a moment; write `own.keras` and `own.npz`."""
    keras.utils.set_random_seed(0)
    only = {
        name: next(iter(each.values())) for name, each in (("x", inputs), ("y", targets)) if len(each) == 1
    }
    x, y = only.get("x", inputs), only.get("y", targets)

    def part(arrays, rows):
        return (
            {name: array[rows] for name, array in arrays.items()}
            if isinstance(arrays, dict)
            else arrays[rows]
        )

    model.compile(keras.optimizers.Adam(0.01), loss)
    model.fit(part(x, slice(TRAIN)), part(y, slice(TRAIN)), epochs=12, batch_size=64, verbose=0)
    model.save(folder / "own.keras")
    arrays = {}
    for split, rows in (("train", slice(TRAIN)), ("test", slice(TRAIN, None))):
        for kind, given in (("x", inputs), ("y", targets)):
            for name, array in given.items():
                key = f"{kind}_{split}" if len(given) == 1 else f"{kind}_{split}/{name}"
                arrays[key] = array[rows]
    np.savez(folder / "own.npz", **arrays)


KINDS = {
    "dense": dense,
    "two_by_two": two_by_two,
    "residual": residual,
    "recurrent": recurrent,
    "attention": attention,
    "tagger": tagger,
    "regression": regression,
    "any_size": any_size,
}
QUICK = ["two_by_two", "recurrent", "tagger"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The folder of a kind of model's files, made once."""
    made = {}

    def make(kind):
        if kind not in made:
            folder = made[kind] = tmp_path_factory.mktemp(kind)
            build = KINDS[kind]
            write(folder, *(build(folder) if build is tagger else build()))
        return made[kind]

    return make


def export(keraport, folder, kind, formats):
    options = ["--custom", folder / "own.py", "--trust"] if kind == "tagger" else []
    result = keraport(
        "export",
        folder / "own.keras",
        "--data",
        folder / "own.npz",
        *options,
        "--formats",
        formats,
        "--repository",
        folder / "models",
        "--json",
        timeout=900,
    )
    assert result.returncode in (0, 1, 3), result.stderr
    outcome = json.loads(result.stdout)
    for artifact in outcome["artifacts"]:
        told = f"{kind}, {artifact['format']}: {artifact['verdict']}, {artifact['reason']}"
        # What quantization costs may be too much for a model: then the numbers behind the verdict say so.
        ran = FORMATS[Format(artifact["format"])].tier is Tier.QUANTIZED and artifact["comparison"]
        fine = ("pass", "inconclusive", "refused", *(["fail"] if ran and ran["outputs"] else []))
        assert artifact["verdict"] in fine, f"{told}\n{artifact['log']}"
        assert not re.search("unexpected|crashed|exit code", artifact["reason"]), told
        assert "\n" not in artifact["reason"], told
    return {artifact["format"]: artifact for artifact in outcome["artifacts"]}


@pytest.mark.parametrize("kind", QUICK)
def test_a_models_usual_formats(keraport, home, kind):
    artifacts = export(keraport, home(kind), kind, "onnx,tflite,tflite-int8")
    assert [artifacts[each]["verdict"] for each in ("onnx", "tflite")] == ["pass", "pass"]
    if artifacts["tflite-int8"]["verdict"] == "refused":
        assert re.search(r"layer|input|output", artifacts["tflite-int8"]["reason"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_models_every_format(keraport, home, kind):
    artifacts = export(keraport, home(kind), kind, "all")
    assert {artifacts[each]["verdict"] for each in ("saved_model", "onnx", "tflite")} == {"pass"}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["MobileNetV2", "EfficientNetB0"])
def test_well_known_networks_with_random_weights(keraport, tmp_path, name):
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, name)(weights=None, input_shape=(96, 96, 3), classes=10)
    model.save(tmp_path / "own.keras")
    x = np.random.default_rng(0).uniform(0, 255, (250, 96, 96, 3)).astype(np.float32)
    np.savez(tmp_path / "own.npz", x_train=x[:50], x_test=x[50:])
    artifacts = export(keraport, tmp_path, name, "all")
    assert {artifacts[each]["verdict"] for each in ("saved_model", "onnx", "tflite")} == {"pass"}


def test_a_model_with_layers_of_ones_own_needs_their_file_and_trust(keraport, home, tmp_path):
    folder = home("tagger")
    export_own = [
        "export",
        folder / "own.keras",
        "--data",
        folder / "own.npz",
        "--repository",
        tmp_path / "m",
    ]
    result = keraport(*export_own)
    assert result.returncode == 2
    assert "needs Tagger" in result.stderr
    assert "--trust --custom FILE.py" in result.stderr
    result = keraport(*export_own, "--custom", folder / "own.py")
    assert result.returncode == 2
    assert "add --trust" in result.stderr
    (tmp_path / "empty.py").write_text("")
    result = keraport(*export_own, "--custom", tmp_path / "empty.py", "--trust")
    assert result.returncode == 2
    assert "does not define it" in result.stderr
    assert not (tmp_path / "m").exists()
