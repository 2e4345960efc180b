"""Operators that make of every number another, whatever stands beside it, as tables of 256 answers."""

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.edge.portable.own_kernels import LOOKUP
from export.edge.portable.own_steps import OwnStep
from export.errors import ManifestError
from export.tflite_runner import open_interpreter

# They answer to each number alone, as long as they read one tensor and the same constants for all of it.
LOOKED_UP = frozenset(
    {
        "ABS",
        "ADD",
        "DIV",
        "ELU",
        "EXP",
        "GELU",
        "GREATER",
        "GREATER_EQUAL",
        "HARD_SWISH",
        "LEAKY_RELU",
        "LESS",
        "LESS_EQUAL",
        "LOG",
        "LOGISTIC",
        "MAXIMUM",
        "MINIMUM",
        "MUL",
        "NEG",
        "PRELU",
        "QUANTIZE",
        "RELU",
        "RELU6",
        "RELU_0_TO_1",
        "RELU_N1_TO_1",
        "RSQRT",
        "SELECT",
        "SELECT_V2",
        "SQRT",
        "SQUARED_DIFFERENCE",
        "SUB",
        "TANH",
    }
)
VALUES = 256
LOWEST = -128
STRIDE = 37  # from run to run of a tensor that holds all values at once


def lookup(content: bytes, size: int) -> OwnStep | None:
    """Operators as a table, as LiteRT's reference kernels answer when these run alone.

    Args:
        content: a file of these, whose input and output have the same size.
        size: that one.

    Returns:
        None if the answer to a value depends on where it stands, or some values have none.
    """
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "operators.tflite"
        path.write_bytes(content)
        table = _table(path, size)
    if table is None:
        return None
    return OwnStep(
        kernel=LOOKUP,
        function="model_lookup",
        numbers=(size,),
        table=tuple(table.tolist()),
        output_bytes=size,
        in_place=True,
    )


def _table(path: Path, size: int) -> NDArray[np.int8] | None:
    """Every value in many places, in all if there are few; None if a value is not always answered alike."""
    lowest, highest = np.full(VALUES, 127, np.int8), np.full(VALUES, -128, np.int8)
    try:
        interpreter = open_interpreter(path, reference_kernels=True)
        (given,), (taken,) = interpreter.get_input_details(), interpreter.get_output_details()
        for start in range(0, VALUES, 1 if size < VALUES else STRIDE):
            numbers = (np.arange(start, start + size) % VALUES + LOWEST).astype(np.int8)
            interpreter.set_tensor(given["index"], numbers.reshape(given["shape"]))
            interpreter.invoke()
            answers = interpreter.get_tensor(taken["index"]).ravel()
            places = numbers.astype(np.int16) - LOWEST
            np.minimum.at(lowest, places, answers)
            np.maximum.at(highest, places, answers)
    except (ManifestError, RuntimeError, ValueError):
        return None
    return lowest if np.array_equal(lowest, highest) else None
