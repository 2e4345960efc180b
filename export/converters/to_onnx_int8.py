"""ONNX in single precision to ONNX with static int8 quantization."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from export.converters.onnx_check import save_checked
from export.converters.onnx_cleanup import finish
from export.converters.onnx_names import nodes_of
from export.converters.onnx_quantized import feed_pixels, free_dense_outputs, scores
from export.converters.to_onnx import copy_metadata, read_layers
from export.errors import ConversionError, first_line
from export.runner import Feed

if TYPE_CHECKING:
    import onnx

CHUNK = 50  # calibration samples a run
# What onnxruntime has integer kernels for and what passes integers on. Softmax, Sigmoid, normalisation and
# preprocessing stay in floats, where they cost little and 8 bits would cost accuracy.
QUANTIZED = (
    *("Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "AveragePool", "GlobalAveragePool"),
    *("Relu", "Clip", "LeakyRelu", "MaxPool", "Concat", "Reshape", "Flatten", "Transpose"),
    *("Squeeze", "Unsqueeze", "Slice", "Split", "Pad", "Resize"),
)


def export_onnx_int8(
    source: Path, path: Path, calibration: Feed, *, keep_float: tuple[str, ...] = ()
) -> Path:
    """Write an ONNX file quantized per channel in QDQ form, from the ranges seen on calibration samples.

    Weights are int8 by channel, activations uint8, biases int32; inputs and outputs keep their names and
    types. Weights take all 8 bits: seven, for the sake of CPUs that saturate without VNNI, cost accuracy.

    Args:
        source: the file in single precision, whose metadata name the Keras layers.
        path: the file to write.
        calibration: input name to samples, dtypes and units as the model's inputs.
        keep_float: names of Keras layers to leave in floats.

    Raises:
        SourceError: an unknown layer.
        ConversionError: no samples, or a model that the quantizer refuses.
    """
    import onnx

    proto = onnx.load(source)
    excluded = [*nodes_of(proto, read_layers(proto), keep_float), *scores(proto)]
    if not calibration or not all(len(samples) for samples in calibration.values()):
        raise ConversionError(f"{path.name} needs training samples to calibrate on: there are none")
    try:
        quantized = _quantize(proto, calibration, excluded)
        feed_pixels(quantized)
        free_dense_outputs(quantized)
        finish(quantized, source)
    except Exception as error:
        raise ConversionError(f"onnxruntime cannot quantize the model: {first_line(error)}") from error
    if not any(node.op_type == "DequantizeLinear" for node in quantized.graph.node):
        raise ConversionError(
            f"{path.name} would hold no integers: onnxruntime quantizes none of the model's operators, "
            "or --keep-float names all; leave onnx-int8 out"
        )
    copy_metadata(source, quantized)
    return save_checked(quantized, path)


def _quantize(proto: "onnx.ModelProto", calibration: Feed, excluded: list[str]) -> "onnx.ModelProto":
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    add_pre_process_metadata(proto)  # cleaned already: asks for no advice to do so
    with tempfile.TemporaryDirectory(prefix="keraport-") as folder:
        target = Path(folder) / "quantized.onnx"
        quantization.quantize_static(
            proto,
            target,
            _Chunks(calibration),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTIZED),
            nodes_to_exclude=excluded,
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax,
        )
        return onnx.load(target)


class _Chunks:
    """Calibration samples as onnxruntime's CalibrationDataReader takes them, some at a time."""

    def __init__(self, samples: Feed) -> None:
        self._rest = _chunks(samples)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """The next samples, None after the last."""
        return next(self._rest, None)


def _chunks(samples: Feed) -> Iterator[dict[str, NDArray[Any]]]:
    count = min(len(array) for array in samples.values())
    for start in range(0, count, CHUNK):
        yield {name: array[start : start + CHUNK] for name, array in samples.items()}
