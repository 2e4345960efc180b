"""An int8 file cut at the steps that are our own, into stretches that BakeNN reads."""

import math
from dataclasses import dataclass

from export.converters.tflite_graph import TFLiteGraph
from export.edge.portable.graph_part import graph_part
from export.edge.portable.own_operators import find_own_step
from export.edge.portable.own_steps import OwnStep


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
    steps: list[Stretch | OwnStep] = []
    start, given, place = 0, graph.main.inputs[0], 0

    def close(taken: int) -> None:
        if place > start:
            kinds = tuple(graph.kind(operator) for operator in operators[start:place])
            part = graph_part(content, start, place, given, taken)
            steps.append(Stretch(content=part, kinds=kinds, output_bytes=math.prod(graph.shape(taken))))

    while place < len(operators):
        found = find_own_step(content, graph, place)
        if found is None:
            place += 1
        else:
            close(found.given)
            steps.append(found.step)
            start, given, place = found.stop, found.taken, found.stop
    close(graph.main.outputs[0])
    return steps
