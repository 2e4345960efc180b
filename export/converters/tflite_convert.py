"""TensorFlow's converter: a SavedModel to a TFLite file, and its complaints in one line each."""

import errno
import os
import re
import warnings
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
INPUT = re.compile(r"serving_default_(.+):0")
NO_RANGE = re.compile(r"Empty min/max for tensor (\S+)")


class OperatorError(ConversionError):
    """An operator that TFLite, or a precision of it, does not have.

    Attributes:
        names: of the operator in the traced graph, and of its constants.
        reason: what is wrong with it.
    """

    def __init__(self, names: list[str], reason: str) -> None:
        super().__init__(f"the operator {names[0] if names else '?'} {reason}")
        self.names = names
        self.reason = reason


class UnquantizedError(ConversionError):
    """Kinds of operators that TensorFlow's older quantizer does not know.

    Attributes:
        kinds: by their names in the schema.
    """

    def __init__(self, kinds: list[str]) -> None:
        super().__init__(f"{', '.join(kinds)} has no form in these integers: leave this format out")
        self.kinds = kinds


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
        with warnings.catch_warnings():
            # Its calibrator still uses its own interpreter, which is theirs to replace.
            warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated", UserWarning)
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
        computation = next((one for one in text.splitlines() if "current operation" in one), "")
        reason = (
            "computes in float16, which TFLite does not: give it the dtype policy float32"
            if HALF.search(computation)
            else f"needs tf.{found['operator']}, which TFLite has not: build it of other operators"
        )
        return OperatorError(SCOPES.findall(found["place"]), reason)
    if kinds := UNQUANTIZED.findall(text):
        return UnquantizedError(list(dict.fromkeys(kinds)))
    if found := NO_RANGE.search(text):
        reason = "takes whole numbers, which this quantizer knows no range of: leave this format out"
        if entry := INPUT.fullmatch(found[1]):
            return ConversionError(f"input {entry[1]} {reason}")
        return OperatorError([found[1]], reason)
    return ConversionError(f"the TFLite converter refuses this model ({line}): leave this format out")
