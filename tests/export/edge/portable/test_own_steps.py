"""What the generator of the C does not know, as our own steps: LiteRT's bytes, or left out by name."""

import keras
import numpy as np
import pytest
from keras import layers

from export.edge.devices.device import check_device
from export.edge.portable.portable_c import write_portable_c
from export.edge.record import ABI_VERSION
from export.edge.subject import find_subject
from training.datasets import load_dataset

SAMPLES = 2000
WIDE = keras.initializers.RandomNormal(stddev=1)
SLOPES = keras.initializers.RandomUniform(0.1, 0.4)
ONE_SLOPE = keras.initializers.Constant(0.2)


def series():
    """Means along one dimension, a table between layers, softmax at the end."""
    values = keras.Input((40, 3), name="values")
    x = layers.LeakyReLU()(layers.Conv1D(8, 5, strides=2)(values))
    x = layers.GlobalAveragePooling1D()(layers.LeakyReLU(0.1)(layers.Conv1D(6, 3)(x)))
    return keras.Model(values, layers.Dense(5, activation="softmax", kernel_initializer=WIDE)(x))


def binary():
    """One table for two operators, maxima, and a table at the end."""
    values = keras.Input((9, 7, 2), name="values")
    x = layers.GlobalMaxPooling2D()(layers.Conv2D(6, 3, activation="silu")(values))
    return keras.Model(values, layers.Dense(1, activation="sigmoid", kernel_initializer=WIDE)(x))


def one_position():
    """The mean of a single position, as pooling of a small picture leaves it."""
    values = keras.Input((3, 3, 2), name="values")
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3, activation="relu")(values))
    return keras.Model(values, layers.Dense(3)(x))


def thousand_classes():
    values = keras.Input((20,), name="values")
    x = layers.Dense(16, activation="tanh")(values)
    return keras.Model(values, layers.Dense(1000, activation="softmax", kernel_initializer=WIDE)(x))


def softmax_alone():
    values = keras.Input((50, 7), name="values")
    return keras.Model(values, layers.Softmax()(layers.Rescaling(4.0)(values)))


def around(activation):
    """A model with a layer between two convolutions, after which a residual branch goes by."""

    def build():
        values = keras.Input((8, 6, 2), name="values")
        x = activation()(layers.Conv2D(5, 3, kernel_initializer=WIDE)(values))
        x = layers.Add()([x, layers.Conv2D(5, 3, padding="same")(x)])
        return keras.Model(values, layers.Dense(3)(layers.Flatten()(x)))

    return build


def named(function):
    return pytest.param(around(lambda: layers.Activation(function)), id=function, marks=pytest.mark.slow)


def publish(zoo, publish_int8, folder, build):
    """A version of the model, and data for it."""
    model = zoo.build(build)
    version = publish_int8(folder / "own" / "1", model)
    values = zoo.feed(model, SAMPLES)["values"]
    np.savez(folder / "data.npz", x_test=values, y_test=np.zeros((SAMPLES, 1), np.float32))
    return find_subject(version), load_dataset(str(folder / "data.npz"))


@pytest.mark.parametrize(
    "build",
    [
        series,
        binary,
        one_position,
        pytest.param(thousand_classes, marks=pytest.mark.slow),
        pytest.param(softmax_alone, marks=pytest.mark.slow),
        pytest.param(
            around(lambda: layers.PReLU(alpha_initializer=ONE_SLOPE)), id="prelu", marks=pytest.mark.slow
        ),
        *map(named, ("gelu", "hard_silu", "leaky_relu", "mish", "selu", "sigmoid", "softplus", "tanh")),
    ],
)
def test_no_byte_differs_from_the_reference_kernels(zoo, publish_int8, tmp_path, build):
    subject, dataset = publish(zoo, publish_int8, tmp_path, build)
    (tmp_path / "scratch").mkdir()
    check = check_device(subject, dataset, "host", tmp_path / "scratch", samples=SAMPLES, time_limit_s=300)
    assert check.difference.differing_bytes == 0, check.reason
    assert check.difference.compared_bytes == SAMPLES * subject.output.bytes


def slopes():
    values = keras.Input((6, 5, 2), name="values")
    x = layers.PReLU(shared_axes=[1, 2], alpha_initializer=SLOPES)(layers.Conv2D(4, 2)(values))
    return keras.Model(values, layers.Dense(3)(layers.Flatten()(x)))


def branches():
    values = keras.Input((6, 5, 2), name="values")
    x = layers.Conv2D(4, 1)(values)
    x = keras.ops.mean(layers.Add()([x, layers.LeakyReLU()(layers.Conv2D(4, 1)(x))]), axis=(1, 3))
    return keras.Model(values, layers.Dense(3, activation="softmax")(x))


@pytest.mark.parametrize(
    ("build", "names"),
    [
        pytest.param(slopes, "PRELU", marks=pytest.mark.slow),
        pytest.param(branches, "LEAKY_RELU, MEAN"),
    ],
)
def test_what_cannot_be_a_step_is_left_out_by_its_name(zoo, publish_int8, tmp_path, build, names):
    subject, _ = publish(zoo, publish_int8, tmp_path, build)
    facts = write_portable_c(subject, ABI_VERSION, tmp_path)
    assert facts.arena_bytes is None
    assert facts.reason == f"{facts.generator}: among branches it takes no {names}"
    assert facts.unknown == tuple(names.split(", "))
    assert not list(tmp_path.glob("infer.*"))


def grouped():
    values = keras.Input((8, 6, 2), name="values")
    x = layers.Conv2D(4, 1, groups=2)(layers.LeakyReLU()(layers.Conv2D(2, 1)(values)))
    return keras.Model(values, layers.Dense(3)(layers.Flatten()(x)))


@pytest.mark.slow
def test_what_the_generator_refuses_is_named_too(zoo, publish_int8, tmp_path):
    subject, _ = publish(zoo, publish_int8, tmp_path, grouped)
    facts = write_portable_c(subject, ABI_VERSION, tmp_path)
    assert facts.arena_bytes is None
    assert facts.reason.startswith(f"{facts.generator}: CONV_2D: ")
    assert not facts.unknown
