"""The last gate of every ONNX file: the checker, strict shape inference, a session that opens."""

from pathlib import Path
from typing import TYPE_CHECKING

from export.errors import ConversionError, ManifestError, first_line
from export.sessions import SessionSettings, open_session

if TYPE_CHECKING:
    import onnx


def save_checked(proto: "onnx.ModelProto", path: Path) -> Path:
    """Write an ONNX file that every part of the tool chain takes.

    Raises:
        ConversionError: the checker, shape inference or onnxruntime refuses the model; no file is left.
    """
    import onnx

    try:
        onnx.checker.check_model(proto, full_check=True)
        onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True, data_prop=True)
    except Exception as error:
        raise ConversionError(f"{path.name} would be no valid ONNX file: {_last_line(error)}") from error
    path.write_bytes(proto.SerializeToString(deterministic=True))
    try:
        open_session(path, SessionSettings())
    except ManifestError as error:
        path.unlink()
        raise ConversionError(f"onnxruntime cannot run the model: {first_line(error)}") from error
    return path


def _last_line(error: BaseException) -> str:
    """What the checker says after naming the place."""
    lines = [line for line in str(error).strip().splitlines() if line.strip(" =>")]
    return lines[-1][:300] if lines else type(error).__name__
