"""Operators of an int8 file as steps of our own, with the numbers that LiteRT's kernels prepare."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from export.converters.tflite_graph import TFLiteGraph
from export.edge.portable.graph_part import graph_part
from export.edge.portable.lookup import LOOKED_UP, lookup
from export.edge.portable.own_kernels import MAX, MEAN, SOFTMAX
from export.edge.portable.own_steps import OwnStep

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ai_edge_litert import schema_py_generated as schema

OWN = LOOKED_UP | {"MEAN", "REDUCE_MAX", "SOFTMAX"}  # where nothing else runs beside them
INT8 = "INT8"
PLACES = 31  # of a multiplier's fraction
EXPONENT_PLACES = 26  # of the fraction of what e is raised to, of which 5 bits are whole
FARTHEST = 31  # that the kernel raises e to: what is farther below the highest counts as nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A step of our own in a file.

    Attributes:
        step: itself.
        stop: the place after its last operator.
        given: the tensor that it reads.
        taken: the one that it writes.
    """

    step: OwnStep
    stop: int
    given: int
    taken: int


def find_own_step(content: bytes, graph: TFLiteGraph, start: int) -> Found | None:
    """The longest step of our own from an operator on; None if that is left to the generator.

    Args:
        content: of the file.
        graph: of the file.
        start: the operator's place.
    """
    kinds = [graph.kind(operator) for operator in graph.main.operators[start:]]
    run = next((place for place, kind in enumerate(kinds) if kind not in LOOKED_UP), len(kinds))
    for stop in range(start + max(run, 1), start, -1):
        ends = _ends(graph, start, stop)
        step = None if ends is None else _own_step(content, graph, range(start, stop), *ends)
        if ends is not None and step is not None:
            return Found(step=step, stop=stop, given=ends[0], taken=ends[1])
    return None


def _ends(graph: TFLiteGraph, start: int, stop: int) -> tuple[int, int] | None:
    """What operators read and write, if it is one int8 tensor each and nothing else goes past them."""
    operators = graph.main.operators
    before = {*graph.main.inputs} | _written(operators[:start])
    inside = _written(operators[start:stop])
    after = {*graph.main.outputs} | _read(operators[stop:])
    given, taken = before & _read(operators[start:stop]), inside & after
    if len(given) != 1 or len(taken) != 1 or before & after:
        return None
    ends = int(given.pop()), int(taken.pop())
    return ends if {graph.dtype(tensor) for tensor in ends} == {INT8} else None


def _written(operators: "Iterable[schema.OperatorT]") -> set[int]:
    return {int(tensor) for operator in operators for tensor in operator.outputs}


def _read(operators: "Iterable[schema.OperatorT]") -> set[int]:
    return {int(tensor) for operator in operators for tensor in operator.inputs}


def _own_step(content: bytes, graph: TFLiteGraph, places: range, given: int, taken: int) -> OwnStep | None:
    operator = graph.main.operators[places.start]
    match graph.kind(operator):
        case "MEAN":
            return _mean(graph, operator)
        case "REDUCE_MAX":
            return _max(graph, operator)
        case "SOFTMAX":
            return _softmax(graph, operator)
        case kind if kind in LOOKED_UP and _uniform(graph, places):
            size = math.prod(graph.shape(given))
            part = graph_part(content, places.start, places.stop, given, taken)
            return lookup(part, size) if size == math.prod(graph.shape(taken)) else None
    return None


def _uniform(graph: TFLiteGraph, places: range) -> bool:
    """Whether constants are the same for every channel."""
    constants = (graph.constant(tensor) for tensor in _read(graph.main.operators[places.start : places.stop]))
    return all(constant is None or (constant == constant.flat[0]).all() for constant in constants)


def _mean(graph: TFLiteGraph, operator: "schema.OperatorT") -> OwnStep | None:
    """As LiteRT's reference kernel prepares it: the number of positions becomes part of the multiplier.

    The sum of a channel counts as sum * multiplier * 2^(shift - 31).
    """
    positions, channels = _pooled(graph, operator)
    if not positions:
        return None
    given, answer = _quantization(graph, operator)
    multiplier, shift = _fraction(given[0] / answer[0])
    places = min(positions.bit_length() - 1, PLACES + 1, PLACES + shift)
    numbers = (given[1], answer[1], (multiplier << places) // positions, shift - places)
    return OwnStep(
        kernel=MEAN,
        function="model_mean",
        numbers=(positions, channels, *numbers),
        output_bytes=channels,
        in_place=False,
    )


def _max(graph: TFLiteGraph, operator: "schema.OperatorT") -> OwnStep | None:
    positions, channels = _pooled(graph, operator)
    given, answer = _quantization(graph, operator)
    if not positions or given != answer:
        return None
    return OwnStep(
        kernel=MAX,
        function="model_max",
        numbers=(positions, channels),
        output_bytes=channels,
        in_place=False,
    )


def _pooled(graph: TFLiteGraph, operator: "schema.OperatorT") -> tuple[int, int]:
    """How many positions become one, and of how many channels; 0, 0 if the channels do not lie innermost."""
    shape, axes = graph.shape(operator.inputs[0]), graph.constant(operator.inputs[1])
    if axes is None:
        return 0, 0
    reduced = {int(axis) % len(shape) for axis in axes.ravel()}
    long = [axis for axis, size in enumerate(shape) if size > 1]
    outer = [axis for axis in long if axis in reduced]  # none where a single position is left
    if long[: len(outer)] != outer:
        return 0, 0
    positions = math.prod(shape[axis] for axis in outer)
    return positions, math.prod(shape) // positions


def _quantization(graph: TFLiteGraph, operator: "schema.OperatorT") -> list[tuple[float, int]]:
    """Scale and zero point of what an operator reads and of what it writes."""
    ends = (graph.main.tensors[tensor].quantization for tensor in (operator.inputs[0], operator.outputs[0]))
    return [(float(end.scale[0]), int(end.zeroPoint[0])) for end in ends]


def _softmax(graph: TFLiteGraph, operator: "schema.OperatorT") -> OwnStep | None:
    """As LiteRT's reference kernel prepares it: differences count as multiplier * 2^(shift - 31)."""
    shape = graph.shape(operator.inputs[0])
    (scale, _), _ = _quantization(graph, operator)
    real = float(operator.builtinOptions.beta) * scale * (1 << EXPONENT_PLACES)
    multiplier, shift = _fraction(min(real, float((1 << PLACES) - 1)))
    if shift < 1:  # the kernel refuses it
        return None
    farthest = (FARTHEST << EXPONENT_PLACES) >> shift
    return OwnStep(
        kernel=SOFTMAX,
        function="model_softmax",
        numbers=(math.prod(shape[:-1]), shape[-1], multiplier, shift, farthest),
        output_bytes=math.prod(shape),
        in_place=True,
    )


def _fraction(real: float) -> tuple[int, int]:
    """A positive number as a multiplier of 31 bits and a shift: multiplier * 2^(shift - 31)."""
    fraction, shift = math.frexp(real)
    multiplier = round(fraction * (1 << PLACES))
    return (multiplier // 2, shift + 1) if multiplier == 1 << PLACES else (multiplier, shift)
