"""Keras to TFLite with a static batch of one: fp32, fp16, dynamic range, int8, uint8, int16x8."""

import contextlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from export.converters.integer_checks import check_integers
from export.converters.integer_form import input_kinds, integer_form
from export.converters.layer_names import check_layers, layer_names, layers_of, place_of
from export.converters.quantize_order import QuantizeOrder
from export.converters.quantizers import DEFAULT, find_quantizer
from export.converters.signature import FixedShape, output_names
from export.converters.tflite_convert import OperatorError, convert_saved_model
from export.converters.tflite_metadata import write_metadata
from export.converters.to_saved_model import export_saved_model
from export.converters.unrolled import unrolled
from export.converters.unsigned_io import unsigned_io
from export.errors import ConversionError, ManifestError, first_line
from export.formats import FORMATS, Format
from export.runner import Feed
from export.tflite_runner import open_interpreter

if TYPE_CHECKING:
    import keras

LOGITS, PROBABILITIES = "logits", "probabilities"


@dataclass(frozen=True, slots=True, kw_only=True)
class TFLiteOptions:
    """What bears on a TFLite file beside the model.

    Attributes:
        calibration: training samples by input name, to show the range of every activation.
        labels: one text a class, for the file's metadata.
        keep_float: layers to leave out of quantization.
        quantizer: which library quantizes.
        sample_shapes: shape of one sample by input name: what the model leaves free is fixed to it.
    """

    calibration: Feed | None = None
    labels: tuple[str, ...] = ()
    keep_float: tuple[str, ...] = ()
    quantizer: str = DEFAULT
    sample_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def export_tflite(model: "keras.Model", path: Path, target: Format, options: TFLiteOptions) -> Path:
    """Write one TFLite file, which LiteRT has run once.

    The file's batch is 1. Formats in integers leave out `probabilities` beside `logits`, as int8
    probabilities have a fixed step of 1/256; every other output is kept. A raw pixel becomes pixel - 128 in
    the int8 file, itself in the uint8 file, and pixel * 128 in the int16x8 file.

    Args:
        model: the trained model; it is left unchanged.
        path: the file to write.
        target: one of the TFLite formats.
        options: what else bears on it; the formats in integers need calibration samples.

    Raises:
        ConversionError: TFLite, or this precision of it, lacks an operator; the line names the layer.
        SourceError: there is no such quantizer, or it is not installed.
        OSError: the disk is full.
    """
    known = layer_names(model)
    check_layers(options.keep_float, known)
    integer = FORMATS[target].integer
    with tempfile.TemporaryDirectory() as scratch:
        saved_model = Path(scratch) / "fixed"
        try:
            _save_fixed(model, saved_model, options, integer=integer)
            float_file = convert_saved_model(saved_model)
            content = (
                float_file
                if target is Format.TFLITE
                else _quantize(float_file, saved_model, target, options, known)
            )
        except OperatorError as error:
            raise ConversionError(f"{place_of(error.names, known)} {error.reason}") from error
    if integer:
        check_integers(content, target, known, some_floats=bool(options.keep_float))
    path.write_bytes(write_metadata(content, options.labels, input_kinds(float_file)))
    _run_once(path, reference_kernels=integer)
    return path


def _save_fixed(model: "keras.Model", path: Path, options: TFLiteOptions, *, integer: bool) -> None:
    """The model as a SavedModel of one shape; for integers, without loops and what they would spoil."""
    flat = integer or bool(options.keep_float)  # inside a loop, single layers are not told apart
    spoilt = integer and {LOGITS, PROBABILITIES} <= set(output_names(model))
    with unrolled(model, options.sample_shapes) if flat else contextlib.nullcontext():
        export_saved_model(
            model,
            path,
            fixed=FixedShape(sample_shapes=options.sample_shapes),
            dropped=frozenset({PROBABILITIES} if spoilt else ()),
        )


def _quantize(
    float_file: bytes, saved_model: Path, target: Format, options: TFLiteOptions, known: frozenset[str]
) -> bytes:
    quantizer = find_quantizer(options.quantizer)
    floats = _keeper(frozenset(options.keep_float), known) if options.keep_float else None
    if not FORMATS[target].integer:
        return quantizer(
            QuantizeOrder(target=target, saved_model=saved_model, content=float_file, floats=floats)
        )
    if options.calibration is None:
        raise ConversionError(f"{target} needs samples to calibrate on: give --calibration")
    form = integer_form(float_file, fold=floats is None)
    order = QuantizeOrder(
        target=target,
        saved_model=saved_model,
        content=form.content,
        calibration=form.feed(options.calibration),
        pixels=form.pixels,
        floats=floats,
    )
    content = quantizer(order)
    return unsigned_io(content) if target is Format.TFLITE_UINT8 else content


def _keeper(kept: frozenset[str], known: frozenset[str]) -> Callable[[list[str]], bool]:
    """Whether an operator, by the names of its tensors, belongs to layers that stay in floats."""

    def keeps(names: list[str]) -> bool:
        return not kept.isdisjoint(layers_of(names, known))

    return keeps


def _run_once(path: Path, *, reference_kernels: bool) -> None:
    """Raise ConversionError unless LiteRT can run a file; a file that converts need not run."""
    try:
        interpreter = open_interpreter(path, reference_kernels=reference_kernels)
        for detail in interpreter.get_input_details():
            interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
        interpreter.invoke()
    except (ManifestError, RuntimeError, ValueError) as error:
        path.unlink()
        reason = str(error.__cause__ or error) if isinstance(error, ManifestError) else first_line(error)
        raise ConversionError(
            f"LiteRT cannot run what the converter made of this model ({reason.splitlines()[0][:200]}): "
            "leave this format out"
        ) from error
