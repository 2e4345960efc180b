"""An int8 file cut at its means over rows and columns, which BakeNN does not read, into stretches."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from export.converters.tflite_graph import TFLiteGraph

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

ROWS_AND_COLUMNS = [1, 2]
PLACES = 31  # of a multiplier's fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Operators that the generator takes.

    Attributes:
        content: a TFLite file of these alone.
        output_bytes: that it answers.
    """

    content: bytes
    output_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """The mean of every channel over all rows and columns.

    Attributes:
        positions: rows times columns.
        channels: of which there is a mean each.
        input_zero_point, output_zero_point: of its tensors.
        multiplier, shift: of the sum of a channel: sum * multiplier * 2^(shift - 31).
    """

    positions: int
    channels: int
    input_zero_point: int
    output_zero_point: int
    multiplier: int
    shift: int

    @property
    def output_bytes(self) -> int:
        """That it answers."""
        return self.channels


def cut(content: bytes) -> list[Stretch | Mean]:
    """Cut a file at its means; one whole stretch if there are none, or where they stand on no single path."""
    graph = TFLiteGraph(content)
    places = [place for place, operator in enumerate(graph.main.operators) if _is_mean(graph, operator)]
    steps: list[Stretch | Mean] = []
    if not places or not all(_on_one_path(graph, place) for place in places):
        return [Stretch(content=content, output_bytes=math.prod(graph.shape(graph.main.outputs[0])))]
    start, given = 0, graph.main.inputs[0]
    for place in [*places, len(graph.main.operators)]:
        last = place == len(graph.main.operators)
        taken = graph.main.outputs[0] if last else graph.main.operators[place].inputs[0]
        if place > start:
            part = _part(content, start, place, given, taken)
            steps.append(Stretch(content=part, output_bytes=math.prod(graph.shape(taken))))
        if not last:
            steps.append(_mean(graph, graph.main.operators[place]))
            start, given = place + 1, graph.main.operators[place].outputs[0]
    return steps


def _is_mean(graph: TFLiteGraph, operator: "schema.OperatorT") -> bool:
    if graph.kind(operator) != "MEAN" or len(graph.shape(operator.inputs[0])) != len(ROWS_AND_COLUMNS) + 2:
        return False
    axes = graph.constant(operator.inputs[1])
    return axes is not None and sorted(axes.ravel().tolist()) == ROWS_AND_COLUMNS


def _on_one_path(graph: TFLiteGraph, place: int) -> bool:
    """Whether nothing but one operator's result goes from before it to after it."""
    operators = graph.main.operators
    before = {tensor for operator in operators[:place] for tensor in operator.outputs} | set(
        graph.main.inputs
    )
    after = {tensor for operator in operators[place + 1 :] for tensor in operator.inputs}
    return not before & (after | set(graph.main.outputs))


def _part(content: bytes, start: int, stop: int, given: int, taken: int) -> bytes:
    graph = TFLiteGraph(content)
    main, signature = graph.main, graph.model.signatureDefs[0]
    main.operators = main.operators[start:stop]
    main.inputs, main.outputs = [given], [taken]
    signature.inputs[0].tensorIndex, signature.outputs[0].tensorIndex = given, taken
    return graph.pack()


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
