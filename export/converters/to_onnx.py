"""Keras to ONNX, by tf2onnx, cleaned."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from export.converters.onnx_check import save_checked
from export.converters.onnx_cleanup import clean
from export.converters.onnx_trace import layer_names, trace_onnx
from export.errors import ConversionError, first_line

if TYPE_CHECKING:
    import keras
    import onnx

# Keys in the file's metadata, each a JSON text.
LABELS, INPUTS, LAYERS = "labels", "inputs", "layers"


def export_onnx(model: "keras.Model", path: Path, *, labels: tuple[str, ...] = ()) -> Path:
    """Write a checked ONNX file with the model's own input and output names and a free `batch` dimension.

    The file's metadata say what the values of each input mean, the names of the Keras layers, which node
    names begin with, and the labels. The same model gives the same bytes.

    Args:
        model: the trained model.
        path: the file to write.
        labels: one text a class, for the file's metadata.

    Raises:
        ConversionError: an operator has no translation, or the ONNX checker or onnxruntime refuses the model.
    """
    layers = layer_names(model)
    proto = trace_onnx(model)
    try:
        proto = clean(proto, layers)
    except Exception as error:
        raise ConversionError(f"onnxruntime refuses what tf2onnx made: {first_line(error)}") from error
    describe(proto, {INPUTS: _input_meanings(model), LAYERS: layers, **({LABELS: labels} if labels else {})})
    return save_checked(proto, path)


def describe(proto: "onnx.ModelProto", facts: dict[str, object]) -> None:
    """Put facts into a file's metadata, in the order of their keys."""
    del proto.metadata_props[:]
    for key in sorted(facts):
        proto.metadata_props.add(key=key, value=json.dumps(facts[key], ensure_ascii=False))


def _input_meanings(model: "keras.Model") -> dict[str, str]:
    """How to prepare what each input takes."""
    return {
        tensor.name: "raw pixels, 0 to 255: no scaling"
        if tensor.dtype == "uint8"
        else "as the model was trained"
        for tensor in model.inputs
    }


def copy_metadata(source: Path, proto: "onnx.ModelProto") -> None:
    """Give a model the metadata of the file that it was made from."""
    import onnx

    del proto.metadata_props[:]
    proto.metadata_props.extend(onnx.load(source).metadata_props)


def read_layers(proto: "onnx.ModelProto") -> tuple[str, ...]:
    """The names of the Keras layers, as a file's metadata say them."""
    return next((tuple(json.loads(prop.value)) for prop in proto.metadata_props if prop.key == LAYERS), ())
