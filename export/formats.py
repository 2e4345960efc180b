"""The formats that keraport exports, one row each: this table drives code, command line, docs and reports."""

from dataclasses import dataclass
from enum import StrEnum

from export.errors import SourceError

ALL = "all"


class Format(StrEnum):
    """The names that `--formats`, the manifest and the reports use."""

    SAVED_MODEL = "saved_model"
    ONNX = "onnx"
    ONNX_FP16 = "onnx-fp16"
    ONNX_INT8 = "onnx-int8"
    TFLITE = "tflite"
    TFLITE_FP16 = "tflite-fp16"
    TFLITE_DYNAMIC = "tflite-dynamic"
    TFLITE_INT8 = "tflite-int8"
    TFLITE_UINT8 = "tflite-uint8"
    TFLITE_INT16X8 = "tflite-int16x8"


class Family(StrEnum):
    """What runs a format."""

    SAVED_MODEL = "saved_model"
    ONNX = "onnx"
    TFLITE = "tflite"


class Tier(StrEnum):
    """How close to the reference a format must stay."""

    LOSSLESS = "lossless"
    HALF = "half"
    QUANTIZED = "quantized"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatSpec:
    """One row of the table.

    Attributes:
        family: what runs it.
        path: file or folder name inside a published version.
        precision: of the weights, as the manifest names it.
        tier: the tolerances that parity holds it to.
        what: it is, for people.
        default: exported unless `--formats` says otherwise.
        required: without its passing verdict nothing is published.
        calibrated: its converter needs training samples.
        dynamic_batch: any number of samples a call, else exactly one.
        integer: every activation is an integer; judged under LiteRT's reference kernels.
        made_from: the format whose file its converter starts from; None for the checkpoint.
    """

    family: Family
    path: str
    precision: str
    tier: Tier
    what: str
    default: bool = False
    required: bool = False
    calibrated: bool = False
    dynamic_batch: bool = False
    integer: bool = False
    made_from: Format | None = None


FORMATS: dict[Format, FormatSpec] = {
    Format.SAVED_MODEL: FormatSpec(
        family=Family.SAVED_MODEL,
        path="saved_model",
        precision="fp32",
        tier=Tier.LOSSLESS,
        what="TensorFlow SavedModel with a named `serving_default`",
        default=True,
        dynamic_batch=True,
    ),
    Format.ONNX: FormatSpec(
        family=Family.ONNX,
        path="model.onnx",
        precision="fp32",
        tier=Tier.LOSSLESS,
        what="ONNX in single precision, what the server runs",
        default=True,
        required=True,
        dynamic_batch=True,
    ),
    Format.ONNX_FP16: FormatSpec(
        family=Family.ONNX,
        path="model.fp16.onnx",
        precision="fp16",
        tier=Tier.HALF,
        what="ONNX with weights and arithmetic in half precision",
        dynamic_batch=True,
        made_from=Format.ONNX,
    ),
    Format.ONNX_INT8: FormatSpec(
        family=Family.ONNX,
        path="model.int8.onnx",
        precision="int8",
        tier=Tier.QUANTIZED,
        what="ONNX with static int8 quantization (QDQ), per channel",
        calibrated=True,
        dynamic_batch=True,
        made_from=Format.ONNX,
    ),
    Format.TFLITE: FormatSpec(
        family=Family.TFLITE,
        path="model.tflite",
        precision="fp32",
        tier=Tier.LOSSLESS,
        what="TFLite in single precision",
        default=True,
    ),
    Format.TFLITE_FP16: FormatSpec(
        family=Family.TFLITE,
        path="model.fp16.tflite",
        precision="fp16",
        tier=Tier.HALF,
        what="TFLite with weights in half precision",
        default=True,
    ),
    Format.TFLITE_DYNAMIC: FormatSpec(
        family=Family.TFLITE,
        path="model.dynamic.tflite",
        precision="dynamic",
        tier=Tier.QUANTIZED,
        what="TFLite with int8 weights, activations quantized as they come",
        default=True,
    ),
    Format.TFLITE_INT8: FormatSpec(
        family=Family.TFLITE,
        path="model.int8.tflite",
        precision="int8",
        tier=Tier.QUANTIZED,
        what="TFLite in integers throughout, int8 in and out, for microcontrollers",
        default=True,
        calibrated=True,
        integer=True,
    ),
    Format.TFLITE_UINT8: FormatSpec(
        family=Family.TFLITE,
        path="model.uint8.tflite",
        precision="uint8",
        tier=Tier.QUANTIZED,
        what="TFLite in integers throughout, uint8 in and out, for browsers and Linux boards",
        default=True,
        calibrated=True,
        integer=True,
    ),
    Format.TFLITE_INT16X8: FormatSpec(
        family=Family.TFLITE,
        path="model.int16x8.tflite",
        precision="int16x8",
        tier=Tier.QUANTIZED,
        what="TFLite with int16 activations and int8 weights",
        calibrated=True,
        integer=True,
    ),
}


def default_formats() -> list[Format]:
    """The formats that are exported unless others are named."""
    return [kind for kind, spec in FORMATS.items() if spec.default]


def parse_formats(text: str) -> list[Format]:
    """Read a comma-separated list of formats, or `all`.

    Raises:
        SourceError: a name that is none; the message lists those there are.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == [ALL]:
        return list(Format)
    for name in names:
        if name not in set(Format):
            raise SourceError(f"no format {name!r}: choose from {', '.join(Format)}, or {ALL}")
    if not names:
        raise SourceError(f"--formats is empty: choose from {', '.join(Format)}, or {ALL}")
    return [Format(name) for name in dict.fromkeys(names)]
