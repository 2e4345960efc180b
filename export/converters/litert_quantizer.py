"""Google's LiteRT quantizer, an optional library."""

import importlib.util
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from export.converters.quantize_order import QuantizeOrder
from export.converters.tensorflow_quantizer import INT16_PIXEL, samples
from export.converters.tflite_graph import TFLiteGraph
from export.errors import ConversionError, SourceError, first_line
from export.formats import Format

if TYPE_CHECKING:
    from litert_quantizer.quantizer import Quantizer as LiteRTQuantizer

ANY = ".*"
PIXEL_RANGES = {Format.TFLITE_INT16X8: (-INT16_PIXEL, INT16_PIXEL)}


def require_litert_quantizer() -> None:
    """Make sure that the library is there.

    Raises:
        SourceError: it is not installed.
    """
    if importlib.util.find_spec("litert_quantizer") is None:
        raise SourceError("the quantizer litert is not installed: pip install 'keraport[litert-quantizer]'")


def quantize_with_litert(order: QuantizeOrder) -> bytes:
    """Quantize with LiteRT's recipes, one for all operators, and none for layers that stay in floats.

    Raises:
        ConversionError: an operator has no such form.
    """
    from litert_quantizer import quantizer

    signature = TFLiteGraph(order.content).model.signatureDefs[0].signatureKey.decode()
    try:
        made = quantizer.Quantizer(order.content)
        _configure(made, order)
        ranges: dict[str, Any] = {}
        if order.calibration is not None:
            ranges = made.calibrate({signature: list(samples(order.calibration))}, num_threads=1)
            _widen(ranges, order)
        content = made.quantize(ranges, enable_progress_report=False).quantized_model
    except (ValueError, RuntimeError, NotImplementedError) as error:
        raise ConversionError(
            f"the LiteRT quantizer refuses this model ({first_line(error)}): leave {order.target} out, "
            "or use --quantizer tensorflow"
        ) from error
    # Packed anew: the library leaves the order of its operator codes to chance.
    return TFLiteGraph(bytes(content)).pack()


def _configure(made: "LiteRTQuantizer", order: QuantizeOrder) -> None:
    from litert_quantizer import algorithm_manager, qtyping

    algorithms, every = algorithm_manager.AlgorithmName, qtyping.TFLOperationName.ALL_SUPPORTED
    match order.target:
        case Format.TFLITE_FP16:
            half = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
            config = qtyping.OpQuantizationConfig(
                weight_tensor_config=half,
                compute_precision=qtyping.ComputePrecision.FLOAT,
                explicit_dequantize=True,
            )
            made.update_quantization_recipe(ANY, every, config, algorithms.FLOAT_CASTING)
        case Format.TFLITE_DYNAMIC:
            made.add_dynamic_config(ANY, every, num_bits=8)
        case _:
            bits = 16 if order.target is Format.TFLITE_INT16X8 else 8
            made.add_static_config(ANY, every, activation_num_bits=bits, weight_num_bits=8)
    if order.floats is not None:
        graph = TFLiteGraph(order.content)
        for operator in graph.main.operators:
            if order.floats(graph.tensor_names(operator)):
                scope = re.escape(graph.name(operator.outputs[0]))
                made.update_quantization_recipe(scope, every, algorithm_key=algorithms.NO_QUANTIZE)


def _widen(ranges: dict[str, Any], order: QuantizeOrder) -> None:
    """Give raw pixels the range that they may have, whatever the samples hold."""
    graph = TFLiteGraph(order.content)
    low, high = PIXEL_RANGES.get(order.target, (0.0, 255.0))
    for name, tensor in graph.inputs().items():
        if name in order.pixels:
            known = ranges[graph.name(tensor)]
            known["min"] = np.full_like(known["min"], low)
            known["max"] = np.full_like(known["max"], high)
