"""The built-in architectures, and the form in which a trained one is saved and served."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

IMAGE, LOGITS, PROBABILITIES = "image", "logits", "probabilities"


def notebook_cnn(*, input_shape: tuple[int, ...], classes: int, dropout: float) -> "keras.Sequential":
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


def served_form(core: "keras.Sequential") -> "keras.Model":
    """Put raw pixels in front of a trained classifier and its logits beside its probabilities.

    The scaling by 1/255 becomes part of the model, so that training, server and device cannot disagree on it.

    Args:
        core: layers from float32 pixels in 0..1, ending in `logits` and `probabilities`; weights are shared.

    Returns:
        A model from `image`, uint8 (batch, height, width, channels), to a dict of `logits` and
        `probabilities`, float32 (batch, classes).
    """
    import keras

    image = keras.Input(core.input_shape[1:], dtype="uint8", name=IMAGE)
    tensor = keras.layers.Rescaling(1 / 255, name="rescaling")(image)
    outputs = {}
    for layer in core.layers:
        tensor = layer(tensor)
        if layer.name in (LOGITS, PROBABILITIES):
            outputs[layer.name] = tensor
    return keras.Model(image, outputs, name=core.name)
