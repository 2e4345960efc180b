"""A few operators of a TFLite file as a file of their own."""

from export.converters.tflite_graph import TFLiteGraph


def graph_part(content: bytes, start: int, stop: int, given: int, taken: int) -> bytes:
    """Some operators alone.

    Args:
        content: of the whole file, which has one input and one output.
        start: the place of the first operator.
        stop: the place after the last one.
        given: the tensor that becomes its input.
        taken: the one that becomes its output.
    """
    graph = TFLiteGraph(content)
    main, signature = graph.main, graph.model.signatureDefs[0]
    main.operators = main.operators[start:stop]
    main.inputs, main.outputs = [given], [taken]
    signature.inputs[0].tensorIndex, signature.outputs[0].tensorIndex = given, taken
    return graph.pack()
