"""What a quantized file must be before LiteRT may open it."""

from typing import TYPE_CHECKING

from export.converters.layer_names import layers_of, place_of
from export.converters.tflite_graph import ABSENT, TFLiteGraph
from export.errors import ConversionError
from export.formats import Format

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

FLOATS = ("FLOAT32", "FLOAT16", "FLOAT64")
BORDERS = ("QUANTIZE", "DEQUANTIZE")  # between integers and floats: not what makes a layer need floats
SMALLEST_SOFTMAX_STEP = 2.0**-26  # LiteRT's fixed-point softmax aborts the process at this scale or below


def check_integers(content: bytes, target: Format, known: frozenset[str], *, some_floats: bool) -> None:
    """Check the operators of a file in integers.

    Args:
        content: of the file.
        target: its format.
        known: the model's layers.
        some_floats: whether the user keeps layers in floats.

    Raises:
        ConversionError: an operator computes in floats, or on steps too small for LiteRT.
    """
    graph = TFLiteGraph(content)
    for operator in graph.main.operators:
        kind, names = graph.kind(operator), graph.tensor_names(operator)
        if not some_floats and kind not in BORDERS and _floats(graph, operator):
            layers = layers_of(names, known)
            mend = f"add --keep-float {layers[-1]}, or leave" if layers else "leave"
            raise ConversionError(
                f"{place_of(names, known)} has no integer form ({kind}), which {target} needs: "
                f"{mend} this format out"
            )
        if kind in ("SOFTMAX", "LOG_SOFTMAX") and graph.dtype(operator.inputs[0]) == "INT8":
            step = float(graph.main.tensors[operator.inputs[0]].quantization.scale[0])
            if step <= SMALLEST_SOFTMAX_STEP:
                place = place_of([*names, graph.name(operator.inputs[0])], known)
                raise ConversionError(
                    f"{place} gets values that hardly differ over the calibration samples (a step of "
                    f"{step:.1g}), which {target} cannot hold: train the model"
                )


def _floats(graph: TFLiteGraph, operator: "schema.OperatorT") -> bool:
    tensors = (*operator.outputs, *operator.inputs)
    return any(tensor != ABSENT and graph.dtype(tensor) in FLOATS for tensor in tensors)
