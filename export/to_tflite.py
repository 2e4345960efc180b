"""Keras to TFLite with a static batch of one: fp32, fp16, dynamic range, and full int8."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from export.errors import ConversionError, first_line
from export.formats import FORMATS, Format
from export.runner import Feed
from export.signature import FIXED_BATCH, output_names
from export.to_saved_model import export_saved_model

if TYPE_CHECKING:
    import keras

LOGITS = "logits"


@dataclass(frozen=True, slots=True, kw_only=True)
class TFLiteOptions:
    """What bears on a TFLite file beside the model.

    Attributes:
        calibration: training samples by input name, to show the range of every activation.
        labels: one text a class, for the file's metadata.
        keep_float: layers to leave out of quantization.
        quantizer: which library quantizes.
    """

    calibration: Feed | None = None
    labels: tuple[str, ...] = ()
    keep_float: tuple[str, ...] = ()
    quantizer: str = "tensorflow"


def export_tflite(model: "keras.Model", path: Path, target: Format, options: TFLiteOptions) -> Path:
    """Write one TFLite file.

    Args:
        model: the trained model.
        path: the file to write.
        target: one of the TFLite formats.
        options: what else bears on it; the formats in integers need calibration samples.

    Raises:
        ConversionError: the converter refuses the model, or an integer file would keep float tensors.
    """
    calibration = options.calibration
    if FORMATS[target].integer:
        model = integer_form(model)
    with tempfile.TemporaryDirectory() as scratch:
        export_saved_model(model, Path(scratch) / "fixed", batch=FIXED_BATCH)
        path.write_bytes(_convert(Path(scratch) / "fixed", target, calibration))
    if FORMATS[target].integer:
        _require_integers(path)
    return path


def _convert(saved_model: Path, target: Format, calibration: Feed | None) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model))
    if target is not Format.TFLITE:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if target is Format.TFLITE_FP16:
        converter.target_spec.supported_types = [tf.float16]
    if calibration is not None:
        converter.representative_dataset = lambda: _representatives(calibration)
        kernels, numbers = {
            Format.TFLITE_INT8: (tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.int8),
            Format.TFLITE_UINT8: (tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.uint8),
            Format.TFLITE_INT16X8: (
                tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
                tf.int16,
            ),
        }[target]
        converter.target_spec.supported_ops = [kernels]
        converter.inference_input_type = converter.inference_output_type = numbers
    try:
        content: bytes = converter.convert()
    except Exception as error:
        raise ConversionError(f"the TFLite converter refuses this model: {first_line(error)}") from error
    return content


def integer_form(model: "keras.Model") -> "keras.Model":
    """The same function of raw pixels without an operator in front that would need floats.

    A `Rescaling` without offset right behind the input is folded into the kernels behind it (exact up to
    rounding; zero padding is unharmed). Calibrated on pixels 0..255, the input then gets scale 1 and zero
    point -128: int8 is pixel - 128. Of several outputs `logits` alone is kept, as int8 probabilities have a
    fixed step of 1/256.

    Args:
        model: raw pixels -> Rescaling -> Conv2D or Dense -> ...; it is left unchanged.

    Raises:
        ConversionError: whole-number inputs that cannot be brought to that form.
    """
    import keras

    if LOGITS in output_names(model):
        model = keras.Model(model.inputs, {LOGITS: model.get_layer(LOGITS).output})
    rescaling = _rescaling(model)
    if rescaling is None:
        if any("float" not in tensor.dtype for tensor in model.inputs):
            raise ConversionError(
                "int8 of whole-number inputs needs a Rescaling without offset as first layer"
            )
        return model
    behind = [layer for layer in model.layers if layer is not rescaling and layer.input is rescaling.output]
    for layer in behind:
        if not isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D | keras.layers.Dense):
            raise ConversionError(f"Rescaling cannot be folded into {layer.name} ({type(layer).__name__})")

    def clone(layer: "keras.Layer") -> "keras.Layer":
        if layer is rescaling:
            return keras.layers.Identity(name=layer.name)
        return type(layer).from_config(layer.get_config())

    pixels = keras.Input(model.inputs[0].shape[1:], dtype="float32", name=model.inputs[0].name)
    inputs = keras.tree.map_structure(lambda _: pixels, model.input)
    folded = keras.models.clone_model(model, input_tensors=inputs, clone_function=clone)
    folded.set_weights(model.get_weights())
    for layer in behind:
        kernel, *rest = layer.get_weights()
        folded.get_layer(layer.name).set_weights([kernel * np.float32(rescaling.scale), *rest])
    return folded


def _rescaling(model: "keras.Model") -> "keras.layers.Rescaling | None":
    """The Rescaling without offset right behind the only input, if there is one."""
    import keras

    if len(model.inputs) != 1:
        return None
    for layer in model.layers:
        if isinstance(layer, keras.layers.Rescaling) and layer.input is model.inputs[0]:
            return layer if np.ndim(layer.scale) == 0 and not np.any(layer.offset) else None
    return None


def _representatives(calibration: Feed) -> Iterator[dict[str, NDArray[Any]]]:
    """Training samples one at a time."""
    for index in range(len(next(iter(calibration.values())))):
        yield {name: array[index : index + 1].astype(np.float32) for name, array in calibration.items()}


def _require_integers(path: Path) -> None:
    """Raise ConversionError if a tensor of a TFLite file holds floats."""
    from ai_edge_litert.interpreter import Interpreter

    for tensor in Interpreter(model_path=str(path)).get_tensor_details():
        if np.issubdtype(tensor["dtype"], np.floating):
            raise ConversionError(f"int8 keeps a float tensor, {tensor['name']}: a layer has no integer form")
