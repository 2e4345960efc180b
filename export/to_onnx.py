"""Keras to ONNX, by tf2onnx."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from export.errors import ConversionError, first_line
from export.signature import Signature

if TYPE_CHECKING:
    import keras
    import onnx

OPSET = 18
BATCH = "batch"


def export_onnx(model: "keras.Model", path: Path, *, labels: tuple[str, ...] = ()) -> Path:
    """Write a checked ONNX file with the model's own input and output names and a free `batch` dimension.

    Args:
        model: the trained model.
        path: the file to write.
        labels: one text a class, for the file's metadata.

    Raises:
        ConversionError: tf2onnx or the ONNX checker refuses the model.
    """
    import onnx
    import tensorflow as tf
    import tf2onnx

    signature = Signature(model)
    try:
        # from_function, as tf2onnx's from_keras does not know Keras 3.
        proto, _ = tf2onnx.convert.from_function(
            tf.function(signature.function()), input_signature=signature.inputs(None), opset=OPSET
        )
        _name_batch(proto)
        onnx.checker.check_model(proto, full_check=True)
    except Exception as error:
        raise ConversionError(f"tf2onnx cannot express this model: {first_line(error)}") from error
    if labels:
        onnx.helper.set_model_props(proto, {"labels": json.dumps(labels)})
    onnx.save(proto, path)
    return path


def _name_batch(proto: "onnx.ModelProto") -> None:
    """Give the free first dimension of every input and output one name; tf2onnx counts them up."""
    for value in [*proto.graph.input, *proto.graph.output]:
        dimensions = value.type.tensor_type.shape.dim
        if dimensions and dimensions[0].dim_value == 0:
            dimensions[0].dim_param = BATCH
