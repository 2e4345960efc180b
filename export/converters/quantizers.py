"""The libraries that quantize TFLite files, behind one small interface."""

from typing import Protocol

from export.converters.quantize_order import QuantizeOrder
from export.errors import SourceError

DEFAULT, LITERT = "tensorflow", "litert"
NAMES = (DEFAULT, LITERT)


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
