"""The formats that keraport exports, one row each: this table drives code, command line and reports."""

from dataclasses import dataclass
from enum import StrEnum

from export.errors import SourceError


class Format(StrEnum):
    """The names that `--formats`, the manifest and the reports use."""

    SAVED_MODEL = "saved_model"
    ONNX = "onnx"
    TFLITE = "tflite"
    TFLITE_FP16 = "tflite-fp16"
    TFLITE_DYNAMIC = "tflite-dynamic"
    TFLITE_INT8 = "tflite-int8"


class Tier(StrEnum):
    """How close to the reference a format must stay."""

    LOSSLESS = "lossless"
    HALF = "half"
    QUANTIZED = "quantized"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatSpec:
    """One row of the table.

    Attributes:
        path: file or folder name inside a published version.
        precision: of the weights, as the manifest names it.
        tier: the tolerances that parity holds it to.
        required: without its passing verdict nothing is published.
        calibrated: its converter needs training samples.
        dynamic_batch: any number of samples a call, else exactly one.
    """

    path: str
    precision: str
    tier: Tier
    required: bool = False
    calibrated: bool = False
    dynamic_batch: bool = False


FORMATS: dict[Format, FormatSpec] = {
    Format.SAVED_MODEL: FormatSpec(
        path="saved_model", precision="fp32", tier=Tier.LOSSLESS, dynamic_batch=True
    ),
    Format.ONNX: FormatSpec(
        path="model.onnx", precision="fp32", tier=Tier.LOSSLESS, required=True, dynamic_batch=True
    ),
    Format.TFLITE: FormatSpec(path="model.tflite", precision="fp32", tier=Tier.LOSSLESS),
    Format.TFLITE_FP16: FormatSpec(path="model.fp16.tflite", precision="fp16", tier=Tier.HALF),
    Format.TFLITE_DYNAMIC: FormatSpec(path="model.dynamic.tflite", precision="dynamic", tier=Tier.QUANTIZED),
    Format.TFLITE_INT8: FormatSpec(
        path="model.int8.tflite", precision="int8", tier=Tier.QUANTIZED, calibrated=True
    ),
}


def parse_formats(text: str) -> list[Format]:
    """Read a comma-separated list of formats.

    Raises:
        SourceError: a name that is none; the message lists those there are.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in set(Format):
            raise SourceError(f"no format {name!r}: choose from {', '.join(Format)}")
    if not names:
        raise SourceError(f"--formats is empty: choose from {', '.join(Format)}")
    return [Format(name) for name in dict.fromkeys(names)]
