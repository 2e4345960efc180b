"""An int8 file in the form that BakeNN reads: the same numbers, said where it looks for them."""

from typing import TYPE_CHECKING

import numpy as np

from export.converters.tflite_graph import ABSENT, TFLiteGraph, as_bytes

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

WITHOUT_BIAS = 2  # inputs of a dense layer: numbers, weights


def generator_form(content: bytes) -> bytes:
    """A TFLite file whose RESHAPE operators have their shape as an option, whose dense layers have a bias.

    TensorFlow's converter leaves both out; the shapes of tensors say the one, zeros are the other.
    """
    graph = TFLiteGraph(content)
    for operator in graph.main.operators:
        if graph.kind(operator) == "RESHAPE" and operator.builtinOptions is None:
            options = graph.schema.ReshapeOptionsT()
            options.newShape = list(graph.shape(operator.outputs[0]))
            operator.builtinOptions = options
            operator.builtinOptionsType = graph.schema.BuiltinOptions.ReshapeOptions
        elif graph.kind(operator) == "FULLY_CONNECTED":
            _add_bias(graph, operator)
    return graph.pack()


def _add_bias(graph: TFLiteGraph, operator: "schema.OperatorT") -> None:
    if len(operator.inputs) > WITHOUT_BIAS and operator.inputs[WITHOUT_BIAS] != ABSENT:
        return
    given, weights = operator.inputs[:WITHOUT_BIAS]
    scales = [graph.main.tensors[tensor].quantization.scale for tensor in (given, weights)]
    outputs = graph.shape(weights)[0]
    bias = graph.add_tensor(f"{graph.name(weights)}/bias", "INT32", (outputs,))
    graph.model.buffers.append(graph.schema.BufferT(data=as_bytes(np.zeros(outputs, np.int32))))
    graph.main.tensors[bias].buffer = len(graph.model.buffers) - 1
    products = [float(np.float32(scales[0][0]) * np.float32(scale)) for scale in scales[1]]
    graph.main.tensors[bias].quantization = graph.schema.QuantizationParametersT(
        scale=products, zeroPoint=[0] * len(products), quantizedDimension=0
    )
    operator.inputs = [given, weights, bias]
