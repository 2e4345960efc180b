"""Recurrent layers step by step: what a graph without loops computes can be quantized to integers."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from export.errors import ConversionError

if TYPE_CHECKING:
    import keras

MOST_STEPS = 256  # each is some twenty operators more


def recurrent_layers(model: "keras.Model") -> "list[keras.layers.RNN]":
    """All layers that loop over time, those inside others too."""
    import keras

    return [
        layer
        for layer in model._flatten_layers()  # Keras has no public way to layers within layers
        if isinstance(layer, keras.layers.RNN)
    ]


@contextmanager
def unrolled(model: "keras.Model", sample_shapes: Mapping[str, tuple[int, ...]]) -> Iterator[None]:
    """Let recurrent layers write out every step while the model is traced. The maths is the same.

    Args:
        model: its layers are set back afterwards.
        sample_shapes: of the samples, for sequences whose length the model leaves free.

    Raises:
        ConversionError: sequences too long to be written out.
    """
    layers = recurrent_layers(model)
    shapes = [sample_shapes.get(tensor.name, tuple(tensor.shape[1:])) for tensor in model.inputs]
    longest = max((shape[0] or 0 for shape in shapes if shape), default=0)
    if layers and longest > MOST_STEPS:
        raise ConversionError(
            f"layer {layers[0].name} loops over {longest} steps, and integers need them written out, "
            f"{MOST_STEPS} at most: leave this format out, or shorten the sequences"
        )
    before = [layer.unroll for layer in layers]
    for layer in layers:
        layer.unroll = True
    try:
        yield
    finally:
        for layer, unroll in zip(layers, before, strict=True):
            layer.unroll = unroll
