"""The built-in architectures, and the form in which a trained model is saved and served."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from training.errors import RecipeError

if TYPE_CHECKING:
    import keras

IMAGE, LOGITS, PROBABILITIES = "image", "logits", "probabilities"
SMALLEST_SIDE = {"notebook": 10, "compact": 16, "tiny": 16}  # pixels that the convolutions and poolings need


def notebook_cnn(input_shape: tuple[int, ...], classes: int, dropout: float) -> "keras.Sequential":
    """The convolutional digit classifier of the original notebook, 34,826 parameters on 28 x 28 grey images.

    Args:
        input_shape: (height, width, channels) of float32 pixels in 0..1, at least 10 x 10.
        classes: how many.
        dropout: share of features dropped before the last layer.

    Returns:
        A model from (batch, *input_shape) to probabilities (batch, classes).
    """
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(32, 3, activation="relu", name="conv1"),
            layers.MaxPooling2D(2, name="pool1"),
            layers.Conv2D(64, 3, activation="relu", name="conv2"),
            layers.MaxPooling2D(2, name="pool2"),
            layers.Flatten(name="flatten"),
            layers.Dropout(dropout, name="dropout"),
            layers.Dense(classes, name=LOGITS),
            layers.Softmax(name=PROBABILITIES),
        ],
        name="notebook_cnn",
    )


def compact_cnn(input_shape: tuple[int, ...], classes: int, dropout: float) -> "keras.Sequential":
    """Six convolutions in three stages, 34,506 parameters: no more than the notebook's, more accurate."""
    return _stages("compact_cnn", ((16, 16), (24, 32, 32), (40,)), input_shape, classes, dropout)


def tiny_cnn(input_shape: tuple[int, ...], classes: int, dropout: float) -> "keras.Sequential":
    """For microcontrollers: 18,946 parameters, at most 14,624 bytes of int8 activations alive at once."""
    return _stages("tiny_cnn", ((8, 16), (20, 28), (36,)), input_shape, classes, dropout)


def _stages(
    name: str,
    stages: tuple[tuple[int, ...], ...],
    input_shape: tuple[int, ...],
    classes: int,
    dropout: float,
) -> "keras.Sequential":
    """Stages of 3 x 3 convolutions with pooling between them, then global average pooling.

    The first stage, whose tensors are the largest, has biases in place of batch normalisation, which would
    cost as much time there as the convolutions. The first and the last stage leave out padding.
    """
    import keras
    from keras import layers

    model = keras.Sequential([keras.Input(input_shape)], name=name)
    for stage, widths in enumerate(stages, start=1):
        first, padding = stage == 1, "valid" if stage in (1, len(stages)) else "same"
        for step, channels in enumerate(widths, start=1):
            part = f"{stage}_{step}"
            model.add(layers.Conv2D(channels, 3, padding=padding, use_bias=first, name=f"conv{part}"))
            if not first:
                model.add(layers.BatchNormalization(name=f"norm{part}"))
            model.add(layers.ReLU(name=f"relu{part}"))
        if stage < len(stages):
            model.add(layers.MaxPooling2D(2, name=f"pool{stage}"))
    model.add(layers.GlobalAveragePooling2D(name="pool"))
    model.add(layers.Dropout(dropout, name="dropout"))
    model.add(layers.Dense(classes, name=LOGITS))
    model.add(layers.Softmax(name=PROBABILITIES))
    return model


ARCHITECTURES: Mapping[str, Callable[[tuple[int, ...], int, float], "keras.Sequential"]] = {
    "notebook": notebook_cnn,
    "compact": compact_cnn,
    "tiny": tiny_cnn,
}


def build_built_in(
    name: str, input_shape: tuple[int, ...], classes: int, dropout: float
) -> "keras.Sequential":
    """Build an architecture of this file; arguments as `notebook_cnn`'s.

    Raises:
        RecipeError: there is none of this name.
    """
    if name not in ARCHITECTURES:
        raise RecipeError(f"no architecture {name!r}: choose {', '.join(ARCHITECTURES)} or FILE.py:FUNCTION")
    return ARCHITECTURES[name](input_shape, classes, dropout)


def served_form(core: "keras.Model", *, raw_pixels: bool) -> "keras.Model":
    """Put raw pixels in front of a trained model, and beside its probabilities the logits, if it names them.

    The scaling by 1/255 becomes part of the model, so that training, server and device cannot disagree on it.

    Args:
        core: the trained model; its weights are shared.
        raw_pixels: whether it was trained on float32 pixels in 0..1; otherwise it is served as it is.

    Returns:
        A model from `image`, uint8 (batch, height, width, channels), to what `core` returns; of a Sequential
        model with layers `logits` and `probabilities` to a dict of both.
    """
    import keras

    if not raw_pixels:
        return core
    image = keras.Input(core.inputs[0].shape[1:], dtype="uint8", name=IMAGE)
    tensor = keras.layers.Rescaling(1 / 255, name="rescaling")(image)
    if not isinstance(core, keras.Sequential):
        # The bare call replays the graph layer by layer, where core(tensor) would nest it as one layer.
        return keras.Model(image, core.call(tensor), name=core.name)
    outputs = {}
    for layer in core.layers:
        tensor = layer(tensor)
        if layer.name in (LOGITS, PROBABILITIES):
            outputs[layer.name] = tensor
    return keras.Model(image, outputs if len(outputs) > 1 else tensor, name=core.name)
