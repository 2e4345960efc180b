"""ONNX in single precision to ONNX with static int8 quantization."""

from pathlib import Path

from export.errors import ConversionError
from export.runner import Feed


def export_onnx_int8(
    source: Path, path: Path, calibration: Feed, *, keep_float: tuple[str, ...] = ()
) -> Path:
    """Write an ONNX file quantized per channel in QDQ form, from the ranges seen on calibration samples.

    Raises:
        ConversionError: the quantizer refuses the model.
    """
    raise ConversionError(f"{source.name} has no int8 form yet")
