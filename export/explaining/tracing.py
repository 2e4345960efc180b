"""The tensors inside a model: by layer of Keras, by node of ONNX, by operator of TFLite."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from export.runner import Feed
from export.sessions import SessionSettings, open_session
from export.tflite_runner import SIGNATURE, dequantize, open_interpreter, quantize

if TYPE_CHECKING:
    import keras

Trace = dict[str, NDArray[Any]]


def trace_keras(model: "keras.Model", feed: Feed) -> Trace:
    """Every layer's output, in the order in which they are computed.

    Args:
        model: functional or Sequential.
        feed: samples by input name.

    Returns:
        Layer name to (samples, ...) array; layers within layers are not opened, those that only pass numbers
        on or reorder them are left out.
    """
    import keras

    passive = (
        keras.layers.InputLayer,
        keras.layers.Dropout,
        keras.layers.Identity,
        keras.layers.Flatten,
        keras.layers.Reshape,
        keras.layers.Permute,
    )

    layers = {
        layer.name: layer.output
        for layer in model.layers
        if not isinstance(layer, passive) and isinstance(getattr(layer, "output", None), keras.KerasTensor)
    }
    inside = keras.Model(model.inputs, layers)
    inputs: Any = next(iter(feed.values())) if len(feed) == 1 else dict(feed)
    return {name: np.asarray(value) for name, value in inside(inputs, training=False).items()}


def trace_onnx(path: Path, feed: Feed, settings: SessionSettings) -> Trace:
    """Every node's floating-point outputs; those that onnxruntime would fuse are kept apart.

    Args:
        path: of the ONNX file.
        feed: samples by input name.
        settings: of the session.

    Returns:
        Tensor name to array, in the order of the graph.
    """
    import onnx

    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    known = {value.name: value for value in model.graph.value_info}
    given = {output.name for output in model.graph.output}
    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    wanted = [
        name
        for node in model.graph.node
        for name in node.output
        if name in given or (name in known and known[name].type.tensor_type.elem_type in floats)
    ]
    model.graph.output.extend(known[name] for name in wanted if name not in given)
    session = open_session(model.SerializeToString(), settings)
    return dict(zip(wanted, session.run(wanted, dict(feed)), strict=True))


def trace_tflite(path: Path, feed: Feed, *, reference_kernels: bool) -> Trace:
    """Every operator's outputs as real numbers, sample by sample.

    Args:
        path: of the TFLite file.
        feed: samples by input name.
        reference_kernels: run LiteRT's reference kernels.

    Returns:
        Tensor name to (samples, ...) array, in the order of the graph.
    """
    interpreter = open_interpreter(path, reference_kernels=reference_kernels, keep_tensors=True)
    inputs = interpreter.get_signature_runner(SIGNATURE).get_input_details()
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    computed = [
        int(index) for step in interpreter._get_ops_details() for index in step["outputs"] if index in details
    ]
    kept: dict[int, list[NDArray[Any]]] = {index: [] for index in computed}
    for sample in range(len(next(iter(feed.values())))):
        for name, array in feed.items():
            interpreter.set_tensor(inputs[name]["index"], quantize(array[sample : sample + 1], inputs[name]))
        interpreter.invoke()
        for index, rows in kept.items():
            rows.append(dequantize(interpreter.get_tensor(index), details[index]))
    return {details[index]["name"]: np.concatenate(rows) for index, rows in kept.items() if rows[0].ndim}
