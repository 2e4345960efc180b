"""ONNX in single precision to ONNX in half precision."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from export.converters.onnx_check import save_checked
from export.converters.onnx_cleanup import finish
from export.converters.onnx_names import all_nodes, nodes_of
from export.converters.to_onnx import copy_metadata, read_layers
from export.errors import ConversionError, first_line

if TYPE_CHECKING:
    import onnx

LARGEST = float(np.finfo(np.float16).max)


def export_onnx_fp16(source: Path, path: Path, *, keep_float: tuple[str, ...] = ()) -> Path:
    """Write an ONNX file with float16 weights and arithmetic; inputs and outputs keep their names and types.

    An operator with a constant beyond float16's range stays in single precision. Where a device has no kernel
    for half precision, onnxruntime computes in single precision between casts, which costs time on most CPUs.

    Args:
        source: the file in single precision.
        path: the file to write.
        keep_float: names of Keras layers to leave in single precision.

    Raises:
        SourceError: an unknown layer.
        ConversionError: onnxruntime cannot convert the model, or cannot run what came of it.
    """
    import onnx

    proto = onnx.load(source)
    blocked = nodes_of(proto, read_layers(proto), keep_float)
    blocked += [node.name for node in all_nodes(proto.graph) if _out_of_range(node, proto)]
    try:
        half = _convert(proto, blocked)
        finish(half, source)
    except Exception as error:
        raise ConversionError(f"onnxruntime cannot halve this model: {first_line(error)}") from error
    copy_metadata(source, half)
    return save_checked(half, path)


def _convert(proto: "onnx.ModelProto", blocked: list[str]) -> "onnx.ModelProto":
    from onnxruntime.transformers.float16 import convert_float_to_float16

    half: onnx.ModelProto = convert_float_to_float16(proto, keep_io_types=True, node_block_list=blocked)
    return half


def _out_of_range(node: "onnx.NodeProto", proto: "onnx.ModelProto") -> bool:
    import onnx

    constants = {
        tensor.name: tensor
        for tensor in proto.graph.initializer
        if tensor.name in node.input and tensor.data_type == onnx.TensorProto.FLOAT
    }
    arrays = [onnx.numpy_helper.to_array(tensor) for tensor in constants.values()]
    return any(np.any(np.isfinite(array) & (np.abs(array) > LARGEST)) for array in arrays)
