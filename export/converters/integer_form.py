"""A float graph made ready for integers: the same function, in operators that have an integer form.

An input of whole numbers that the model turns into floats becomes a float input which takes the same
numbers; the quantizer then gives raw pixels the scale 1, so that int8 is pixel - 128 and no operator stands
in front.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from export.converters.folding import fold_preprocessing
from export.converters.tflite_graph import TFLiteGraph
from export.runner import Feed

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

MOVES = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE")  # operators that change no value
WHOLE = ("UINT8", "INT8", "INT16", "INT32", "INT64")


class InputKind(StrEnum):
    """What the values of an input are."""

    PIXELS = "raw pixels 0..255"
    WHOLE = "whole numbers"
    TRAINED = "as the model was trained"


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegerForm:
    """A float graph that a quantizer can take.

    Attributes:
        content: the file.
        pixels: the inputs that take 0 to 255, whatever the calibration samples hold.
        floats: the inputs that are floats now.
    """

    content: bytes
    pixels: tuple[str, ...]
    floats: tuple[str, ...]

    def feed(self, samples: Feed) -> Feed:
        """Samples of the model as this form takes them."""
        return {
            name: values.astype(np.float32) if name in self.floats else values
            for name, values in samples.items()
        }


def input_kinds(float_file: bytes) -> dict[str, InputKind]:
    """What each input of a model takes, by the graph as it was converted."""
    graph = TFLiteGraph(float_file)
    return {
        name: InputKind.TRAINED
        if graph.dtype(tensor) not in WHOLE
        else InputKind.PIXELS
        if graph.dtype(tensor) == "UINT8" and _float_casts(graph, tensor)
        else InputKind.WHOLE
        for name, tensor in graph.inputs().items()
    }


def integer_form(float_file: bytes, *, fold: bool = True) -> IntegerForm:
    """Bring a float file into the form that has integer operators.

    Args:
        float_file: as it was converted.
        fold: whether to move scaling at the inputs into the weights behind it.
    """
    kinds = input_kinds(float_file)
    graph = TFLiteGraph(float_file)
    for tensor in graph.inputs().values():
        casts = _float_casts(graph, tensor)
        for cast in casts:
            graph.replace(cast.outputs[0], tensor)
            graph.main.operators.remove(cast)
        if casts:
            graph.set_dtype(tensor, "FLOAT32")
    _multiply_instead(graph)
    if fold:
        fold_preprocessing(graph)
    pixels = tuple(name for name, kind in kinds.items() if kind is InputKind.PIXELS)
    floats = tuple(name for name, tensor in graph.inputs().items() if graph.dtype(tensor) == "FLOAT32")
    return IntegerForm(content=graph.pack(), pixels=pixels, floats=floats)


def _float_casts(graph: TFLiteGraph, tensor: int) -> "list[schema.OperatorT]":
    """The casts to floats that are all that reads an input of whole numbers; none if other operators do."""
    if graph.dtype(tensor) not in WHOLE:
        return []
    readers = graph.consumers(tensor)
    floats = all(
        graph.kind(reader) == "CAST"
        and graph.dtype(reader.outputs[0]) == "FLOAT32"
        and not _whole_again(graph, reader.outputs[0])
        for reader in readers
    )
    return readers if floats else []


def _whole_again(graph: TFLiteGraph, tensor: int) -> bool:
    """Whether floats are but a stage on the way to whole numbers, such as indices, that must stay exact."""
    readers = graph.consumers(tensor)
    moved = [reader.outputs[0] for reader in readers if graph.kind(reader) in MOVES]
    return any(graph.kind(reader) == "CAST" for reader in readers) or any(
        _whole_again(graph, output) for output in moved
    )


def _multiply_instead(graph: TFLiteGraph) -> None:
    """Write -x as x * -1 and x^2 as x * x: multiplication has an integer form, those have none."""
    for place, operator in enumerate(graph.main.operators):
        kind = graph.kind(operator)
        if kind not in ("NEG", "SQUARE") or graph.dtype(operator.inputs[0]) != "FLOAT32":
            continue
        (values,) = operator.inputs
        other = values
        if kind == "NEG":
            name = f"{graph.name(operator.outputs[0])}/minus_one"
            other = graph.add_constant(name, np.array(-1, np.float32))
        graph.main.operators[place] = graph.operator("MUL", [values, other], operator.outputs, "MulOptions")
