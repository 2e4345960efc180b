"""TensorFlow's converter: a SavedModel to a TFLite file, and its complaints in one line each."""

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from export.errors import ConversionError, first_line

R = TypeVar("R")

OPERATOR = re.compile(
    r"loc\((?P<place>.*)\): \'tf\.(?P<operator>\w+)\' op is neither a custom op nor a flex op"
)
SCOPES = re.compile(r'"([^"@:]*/[^"@:]*)@')
HALF = re.compile(r"tensor<[^>]*xf16>")
UNQUANTIZED = re.compile(r"not yet supported for op: '(\w+)'")
NO_RANGE = re.compile(r"Empty min/max for tensor (\S+)")


class OperatorError(ConversionError):
    """An operator that TFLite, or a precision of it, does not have.

    Attributes:
        scopes: the name of the operator in the traced graph.
        reason: what is wrong with it.
    """

    def __init__(self, scopes: str, reason: str) -> None:
        super().__init__(f"{scopes or 'the model'} {reason}")
        self.scopes = scopes
        self.reason = reason


def convert_saved_model(saved_model: Path, *, optimize: bool = False, half: bool = False) -> bytes:
    """Convert a SavedModel to a TFLite file of built-in operators alone.

    Args:
        saved_model: the folder.
        optimize: quantize the weights to int8.
        half: to float16 instead.

    Raises:
        ConversionError: TFLite lacks an operator.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model))
    converter.exclude_conversion_metadata = True  # it names the TensorFlow release, and no user needs it
    if optimize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if half:
        converter.target_spec.supported_types = [tf.float16]
    content: bytes = run_converter(converter.convert)
    return content


def run_converter(step: Callable[[], R]) -> R:
    """Run one step of TensorFlow's, and say what it refuses in one line.

    Raises:
        ConversionError: it refuses.
        OSError: the disk is full.
    """
    try:
        return step()
    except (MemoryError, OSError):
        raise
    except Exception as error:
        text = str(error)
        if "No space left" in text:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise _refusal(text, first_line(error)) from error


def _refusal(text: str, line: str) -> ConversionError:
    if found := OPERATOR.search(text):
        scopes = SCOPES.findall(found["place"])
        computation = next((one for one in text.splitlines() if "current operation" in one), "")
        reason = (
            "computes in float16, which TFLite does not: give it the dtype policy float32"
            if HALF.search(computation)
            else f"needs tf.{found['operator']}, which TFLite has not: use other operators, or leave this format out"
        )
        return OperatorError(scopes[0] if scopes else "", reason)
    if operators := UNQUANTIZED.findall(text):
        return ConversionError(
            f"{', '.join(dict.fromkeys(operators))} has no form in these integers: leave this format out"
        )
    if found := NO_RANGE.search(text):
        return ConversionError(
            f"the tensor {found[1]} holds whole numbers, which TensorFlow's older quantizer does not take: "
            "leave this format out"
        )
    return ConversionError(f"the TFLite converter refuses this model ({line}): leave this format out")
