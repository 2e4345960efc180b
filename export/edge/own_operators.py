"""Operators of an int8 file as steps of our own, with the numbers that LiteRT's kernels prepare."""

import math
from typing import TYPE_CHECKING

from export.converters.tflite_graph import TFLiteGraph
from export.edge.own_steps import Mean, OwnStep

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

ROWS_AND_COLUMNS = [1, 2]
PLACES = 31  # of a multiplier's fraction


def own_step(graph: TFLiteGraph, place: int) -> OwnStep | None:
    """The step that an operator is; None of one that the generator shall take."""
    operator = graph.main.operators[place]
    return _mean(graph, operator) if _is_mean(graph, operator) else None


def activation(graph: TFLiteGraph, operator: "schema.OperatorT") -> int:
    """The tensor that an operator of our own reads, beside constants."""
    (found,) = (int(tensor) for tensor in operator.inputs if graph.constant(tensor) is None)
    return found


def _is_mean(graph: TFLiteGraph, operator: "schema.OperatorT") -> bool:
    if graph.kind(operator) != "MEAN" or len(graph.shape(operator.inputs[0])) != len(ROWS_AND_COLUMNS) + 2:
        return False
    axes = graph.constant(operator.inputs[1])
    return axes is not None and sorted(axes.ravel().tolist()) == ROWS_AND_COLUMNS


def _mean(graph: TFLiteGraph, operator: "schema.OperatorT") -> Mean:
    """As LiteRT's reference kernel prepares it: the number of positions becomes part of the multiplier."""
    given, answer = (
        graph.main.tensors[tensor].quantization for tensor in (operator.inputs[0], operator.outputs[0])
    )
    _, rows, columns, channels = graph.shape(operator.inputs[0])
    fraction, shift = math.frexp(float(given.scale[0]) / float(answer.scale[0]))
    multiplier = round(fraction * (1 << PLACES))
    if multiplier == 1 << PLACES:
        multiplier, shift = multiplier // 2, shift + 1
    positions = rows * columns
    places = min(positions.bit_length() - 1, PLACES + 1, PLACES + shift)
    return Mean(
        positions=positions,
        channels=channels,
        input_zero_point=int(given.zeroPoint[0]),
        output_zero_point=int(answer.zeroPoint[0]),
        multiplier=(multiplier << places) // positions,
        shift=shift - places,
    )
