"""The libraries that quantize TFLite files, behind one small interface."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from export.errors import SourceError
from export.formats import Format
from export.runner import Feed

DEFAULT, LITERT = "tensorflow", "litert"
NAMES = (DEFAULT, LITERT)


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


class Quantizer(Protocol):
    """Makes a TFLite file of less precision from one in floats."""

    def __call__(self, order: QuantizeOrder) -> bytes:
        """Quantize.

        Returns:
            The file; of formats in integers with int8 or int16 inputs and outputs.

        Raises:
            ConversionError: the library cannot express the model so.
        """
        ...


def check_quantizer(name: str) -> str:
    """Return a quantizer's name.

    Raises:
        SourceError: there is none of that name.
    """
    if name not in NAMES:
        raise SourceError(f"no quantizer {name!r}: choose from {', '.join(NAMES)}")
    return name


def find_quantizer(name: str) -> Quantizer:
    """The quantizer of a name.

    Raises:
        SourceError: there is none, or its library is not installed.
    """
    if check_quantizer(name) == LITERT:
        from export.converters.litert_quantizer import quantize_with_litert, require_litert_quantizer

        require_litert_quantizer()
        return quantize_with_litert
    from export.converters.tensorflow_quantizer import quantize_with_tensorflow

    return quantize_with_tensorflow
