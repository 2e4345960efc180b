"""Layers that are to stay in floats, given back their weights in a file whose weights alone are quantized."""

from collections.abc import Callable

from export.converters.tflite_graph import TFLiteGraph


def keep_floats(content: bytes, float_file: bytes, floats: Callable[[list[str]], bool]) -> bytes:
    """Give operators their float weights back.

    Args:
        content: a file with float16 or int8 weights and float activations.
        float_file: the same model before.
        floats: whether an operator, known by the names of its tensors, stays in floats.
    """
    graph, before = TFLiteGraph(content), TFLiteGraph(float_file)
    originals = {
        before.name(index): values
        for index in range(len(before.main.tensors))
        if before.dtype(index) == "FLOAT32" and (values := before.constant(index)) is not None
    }
    makers = {output: operator for operator in graph.main.operators for output in operator.outputs}
    for operator in list(graph.main.operators):
        if graph.kind(operator) == "DEQUANTIZE" or not floats(graph.tensor_names(operator)):
            continue
        for place, tensor in enumerate(operator.inputs):
            maker = makers.get(tensor)
            source = maker.inputs[0] if maker is not None and graph.kind(maker) == "DEQUANTIZE" else tensor
            if graph.constant(source) is None or graph.dtype(source) == "FLOAT32":
                continue
            values = originals.get(graph.name(source), originals.get(graph.name(tensor)))
            if values is not None and values.shape == graph.shape(source):
                operator.inputs[place] = graph.add_constant(graph.name(source), values)
    read = {tensor for operator in graph.main.operators for tensor in operator.inputs}
    graph.main.operators = [
        operator
        for operator in graph.main.operators
        if graph.kind(operator) != "DEQUANTIZE"
        or operator.outputs[0] in read
        or operator.outputs[0] in graph.main.outputs
    ]
    return graph.pack()
