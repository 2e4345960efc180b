"""TensorFlow's own quantizers, the newer one where its result repeats and the older one where it must."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.converters.quantize_order import QuantizeOrder
from export.converters.tflite_convert import (
    OperatorError,
    UnquantizedError,
    convert_saved_model,
    run_converter,
)
from export.converters.tflite_graph import TFLiteGraph
from export.converters.unquantize import keep_floats
from export.errors import ConversionError
from export.formats import Format
from export.runner import Feed

INT16_PIXEL = (
    32767 / 128
)  # as the largest value it gives an int16 input the scale 1/128: int16 is pixel * 128


def quantize_with_tensorflow(order: QuantizeOrder) -> bytes:
    """Quantize with the converter's own means.

    Raises:
        ConversionError: an operator has no such form, or is to stay in floats where that cannot be said.
    """
    match order.target:
        case Format.TFLITE_FP16 | Format.TFLITE_DYNAMIC:
            content = convert_saved_model(
                order.saved_model, optimize=True, half=order.target is Format.TFLITE_FP16
            )
            return content if order.floats is None else keep_floats(content, order.content, order.floats)
        case Format.TFLITE_INT16X8:
            return _older(order, "int16")
        case _:
            return _older(order, "int8") if _splits(order.content) else _newer(order)


def _splits(content: bytes) -> bool:
    """Whether operators have several outputs: with such, the newer quantizer's bytes depend on addresses."""
    return any(len(operator.outputs) > 1 for operator in TFLiteGraph(content).main.operators)


def _newer(order: QuantizeOrder) -> bytes:
    """int8, by the quantizer of TensorFlow's compiler."""
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    assert order.calibration is not None  # noqa: S101  (the caller has checked)
    calibration = order.calibration
    calibrator = run_converter(lambda: Calibrator(order.content))
    graph = TFLiteGraph(run_converter(lambda: calibrator.calibrate(lambda: samples(calibration))))
    for name, tensor in graph.inputs().items():
        if name in order.pixels:
            ranges = graph.main.tensors[tensor].quantization
            ranges.min, ranges.max = [0.0], [255.0]
    floats = None if order.floats is None else _float_nodes(graph, order.floats)
    content: bytes = run_converter(
        lambda: mlir_quantize(
            graph.pack(),
            fully_quantize=True,
            input_data_type=tf.int8,
            output_data_type=tf.int8,
            denylisted_nodes=floats,
        )
    )
    return content


def _float_nodes(graph: TFLiteGraph, floats: Any) -> list[str]:  # noqa: ANN401  (the order's predicate)
    return [
        graph.name(tensor)
        for operator in graph.main.operators
        if floats(graph.tensor_names(operator))
        for tensor in operator.outputs
    ]


def _older(order: QuantizeOrder, activations: str) -> bytes:
    """int8 or int16 activations, by the quantizer of TensorFlow Lite's runtime."""
    import tensorflow as tf
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    if order.floats is not None:
        why = "" if activations == "int16" else " of recurrent layers"
        raise ConversionError(
            f"TensorFlow's quantizer for {order.target}{why} keeps no layer in floats: "
            "leave out --keep-float or this format"
        )
    assert order.calibration is not None  # noqa: S101  (the caller has checked)
    top = INT16_PIXEL if activations == "int16" else 255.0
    calibration = {
        name: _with_extreme(values, top) if name in order.pixels else values
        for name, values in order.calibration.items()
    }
    calibrator = run_converter(lambda: Calibrator(order.content))
    dtype = getattr(tf, activations)
    bias = tf.int64 if activations == "int16" else tf.int32
    try:
        content: bytes = run_converter(
            lambda: calibrator.calibrate_and_quantize(
                lambda: samples(calibration), dtype, dtype, False, activations_type=dtype, bias_type=bias
            )
        )
    except UnquantizedError as error:
        graph = TFLiteGraph(order.content)
        operator = next((one for one in graph.main.operators if graph.kind(one) in error.kinds), None)
        if operator is None:
            raise
        reason = f"has no form in {order.target}'s integers ({graph.kind(operator)}): leave this format out"
        raise OperatorError(graph.tensor_names(operator), reason) from error
    return content


def _with_extreme(values: NDArray[Any], top: float) -> NDArray[Any]:
    """The samples with one value set to the largest: this quantizer takes ranges from samples alone."""
    changed = np.array(values, np.float32)
    changed.reshape(-1)[-1] = top
    return changed


def samples(calibration: Feed) -> Iterator[dict[str, NDArray[Any]]]:
    """Samples one at a time."""
    for index in range(len(next(iter(calibration.values())))):
        yield {name: array[index : index + 1] for name, array in calibration.items()}
