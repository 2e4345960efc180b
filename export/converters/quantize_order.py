"""What a quantizer is asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from export.formats import Format
from export.runner import Feed


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeOrder:
    """What to quantize and how.

    Attributes:
        target: the TFLite format.
        saved_model: the float model with fixed shapes.
        content: the same as a float TFLite file; for formats in integers, in its integer form.
        calibration: samples by input name, of the file's dtypes; none for formats that need none.
        pixels: inputs that take 0 to 255 whatever the samples hold.
        floats: whether an operator, known by the names of its tensors, stays in floats.
    """

    target: Format
    saved_model: Path
    content: bytes
    calibration: Feed | None = None
    pixels: tuple[str, ...] = ()
    floats: Callable[[list[str]], bool] | None = None
