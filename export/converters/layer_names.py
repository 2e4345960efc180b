"""From the names in a traced graph back to the Keras layers that they come from."""

import difflib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from export.errors import SourceError

if TYPE_CHECKING:
    import keras

NUMBER = re.compile(r"_\d+$")  # Keras opens a scope a layer, and TensorFlow numbers each

MOST_LISTED = 8


def layer_names(model: "keras.Model") -> frozenset[str]:
    """The names of all layers, those inside others too."""
    # Keras has no public way to layers within layers.
    return frozenset(layer.name for layer in model._flatten_layers(include_self=False))


def layers_of(names: Iterable[str], known: frozenset[str]) -> list[str]:
    """The layers that an operator comes from, the outermost first, by the first of the names that says so.

    Args:
        names: of what it writes and of its constants, such as `model_1/conv_1_2/Conv2D;model_1/relu_1`.
        known: the model's layers.
    """
    for name in names:
        scopes = [scope for path in name.split(";") for scope in path.split("/") if NUMBER.search(scope)]
        layers = dict.fromkeys(NUMBER.sub("", scope) for scope in scopes)
        if found := [layer for layer in layers if layer in known]:
            return found
    return []


def place_of(names: list[str], known: frozenset[str]) -> str:
    """Where an operator is, for messages: its innermost layer, else its own name."""
    layers = layers_of(names, known)
    return f"layer {layers[-1]}" if layers else f"the operator {names[0] if names else '?'}"


def check_layers(kept: Iterable[str], known: frozenset[str]) -> None:
    """Make sure that layers which the user names exist.

    Raises:
        SourceError: one does not; the message has names near to it.
    """
    for name in kept:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known)) or sorted(known)[:MOST_LISTED]
            raise SourceError(f"--keep-float: the model has no layer {name!r}, but {', '.join(near)}")
