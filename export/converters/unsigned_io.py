"""uint8 at the borders of an int8 file: what browsers and camera drivers hold, one operator at each end."""

from typing import TYPE_CHECKING

from export.converters.tflite_graph import TFLiteGraph

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

SHIFT = 128  # between the zero points: the same numbers, moved


def unsigned_io(content: bytes) -> bytes:
    """Let an int8 file take and return uint8; inputs and outputs of other types stay.

    A raw pixel input, int8 of scale 1 and zero point -128, becomes uint8 of scale 1 and zero point 0.
    """
    graph = TFLiteGraph(content)
    signature = graph.model.signatureDefs[0]
    _move(graph, graph.main.inputs, signature.inputs, first=True)
    _move(graph, graph.main.outputs, signature.outputs, first=False)
    return graph.pack()


def _move(graph: TFLiteGraph, border: list[int], entries: "list[schema.TensorMapT]", *, first: bool) -> None:
    outer_of: dict[int, int] = {}
    for inner in dict.fromkeys(border):
        if graph.dtype(inner) != "INT8":
            continue
        outer = outer_of[inner] = graph.add_tensor(f"{graph.name(inner)}/uint8", "UINT8", graph.shape(inner))
        known = graph.main.tensors[inner].quantization
        graph.main.tensors[outer].quantization = graph.schema.QuantizationParametersT(
            scale=list(known.scale), zeroPoint=[int(zero) + SHIFT for zero in known.zeroPoint]
        )
        ends = (outer, inner) if first else (inner, outer)
        operator = graph.operator("QUANTIZE", [ends[0]], [ends[1]], "QuantizeOptions")
        graph.main.operators.insert(0 if first else len(graph.main.operators), operator)
    border[:] = [outer_of.get(tensor, tensor) for tensor in border]
    for entry in entries:
        entry.tensorIndex = outer_of.get(entry.tensorIndex, entry.tensorIndex)
