"""From the names in a traced graph back to the Keras layers that they come from."""

import difflib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from export.errors import ConversionError

if TYPE_CHECKING:
    import keras

NUMBER = re.compile(r"_\d+$")  # Keras opens a scope a layer, and TensorFlow numbers each

MOST_LISTED = 8


def layer_names(model: "keras.Model") -> frozenset[str]:
    """The names of all layers, those inside others too."""
    # Keras has no public way to layers within layers.
    return frozenset(layer.name for layer in model._flatten_layers(include_self=False))


def layers_of(names: Iterable[str], known: frozenset[str]) -> list[str]:
    """The layers that an operator comes from, the outermost first.

    Args:
        names: of its tensors, such as `model_1/block_1/conv_1_2/Conv2D;model_1/relu_1/Relu`.
        known: the model's layers.
    """
    found = []
    for name in names:
        for path in name.split(";"):
            scopes = [NUMBER.sub("", scope) for scope in path.split("/") if NUMBER.search(scope)]
            found += [scope for scope in scopes if scope in known and scope not in found]
    return found


def check_layers(kept: Iterable[str], known: frozenset[str]) -> None:
    """Make sure that layers which the user names exist.

    Raises:
        ConversionError: one does not; the message has names near to it.
    """
    for name in kept:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known)) or sorted(known)[:MOST_LISTED]
            raise ConversionError(f"no layer {name!r} to keep in floats: the model has {', '.join(near)}")
