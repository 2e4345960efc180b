"""An int8 file cut at the steps that are our own, into stretches that BakeNN reads."""

import math
from dataclasses import dataclass

from export.converters.tflite_graph import TFLiteGraph
from export.edge.graph_part import graph_part
from export.edge.own_operators import activation, own_step
from export.edge.own_steps import OwnStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Operators that the generator shall take.

    Attributes:
        content: a TFLite file of these alone.
        kinds: of them, in their order.
        output_bytes: that it answers.
    """

    content: bytes
    kinds: tuple[str, ...]
    output_bytes: int


def cut(content: bytes) -> list[Stretch | OwnStep]:
    """Cut a file at our own steps, as far as nothing but their result goes from before them to after them."""
    graph = TFLiteGraph(content)
    operators = graph.main.operators
    own = {
        place: step
        for place in range(len(operators))
        if _on_one_path(graph, place) and (step := own_step(graph, place)) is not None
    }
    steps: list[Stretch | OwnStep] = []
    start, given = 0, graph.main.inputs[0]
    for place in [*own, len(operators)]:
        taken = activation(graph, operators[place]) if place in own else graph.main.outputs[0]
        if place > start:
            kinds = tuple(graph.kind(operator) for operator in operators[start:place])
            part = graph_part(content, start, place, given, taken)
            steps.append(Stretch(content=part, kinds=kinds, output_bytes=math.prod(graph.shape(taken))))
        if place in own:
            steps.append(own[place])
            start, given = place + 1, operators[place].outputs[0]
    return steps


def _on_one_path(graph: TFLiteGraph, place: int) -> bool:
    """Whether nothing but one operator's result goes from before it to after it."""
    operators = graph.main.operators
    before = {tensor for operator in operators[:place] for tensor in operator.outputs} | set(
        graph.main.inputs
    )
    after = {tensor for operator in operators[place + 1 :] for tensor in operator.inputs}
    return not before & (after | set(graph.main.outputs))
