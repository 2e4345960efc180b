"""How a model is run, whatever its datatypes: onnxruntime takes and gives most of them as numpy arrays.

BYTES it takes as `str` alone. BF16, which is no type of numpy's own, passes in its tensors.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from export.manifest import DATATYPES, TensorInfo
from export.runner import Answer, Feed
from serving.codec_bytes import as_text
from serving.errors import ModelRefused

ONNX_BFLOAT16 = 16  # TensorProto.BFLOAT16


def run_of(
    session: ort.InferenceSession, inputs: Iterable[TensorInfo], outputs: Sequence[TensorInfo]
) -> Callable[[Feed], Answer]:
    """The function that runs a batch, as plain as the model's datatypes allow.

    Args:
        session: of the model.
        inputs: that it takes.
        outputs: that it gives, in the order of the answer.

    Raises:
        ModelRefused: onnxruntime has no way to run such a model from Python.
    """
    converted = {tensor.name: tensor.datatype for tensor in inputs if tensor.datatype in ("BF16", "BYTES")}
    if any(tensor.datatype == "BF16" for tensor in outputs):
        if "BYTES" in converted.values():
            raise ModelRefused(
                "it takes BYTES and gives BF16, which onnxruntime cannot do in one run: "
                "cast its BF16 outputs to FP32"
            )
        return partial(_run_tensors, session, [tensor.name for tensor in outputs])
    names = [tensor.name for tensor in outputs]
    if converted:
        return partial(_run_converted, session, names, converted)
    return partial(_run_arrays, session, names)


def _run_arrays(session: ort.InferenceSession, names: Sequence[str], feed: Mapping[str, Any]) -> Answer:
    values: list[Any] = session.run(names, feed)
    return dict(zip(names, values, strict=True))


def _run_converted(
    session: ort.InferenceSession, names: Sequence[str], datatypes: Mapping[str, str], feed: Feed
) -> Answer:
    """Run with BYTES as text and BF16 as tensors among the arrays."""
    converted: dict[str, Any] = dict(feed)
    for name, datatype in datatypes.items():
        array = feed[name]
        converted[name] = as_text(name, array) if datatype == "BYTES" else _tensor(array)
    return _run_arrays(session, names, converted)


def _run_tensors(session: ort.InferenceSession, names: Sequence[str], feed: Feed) -> Answer:
    tensors = {name: _tensor(array) for name, array in feed.items()}
    values = session.run_with_ort_values(names, tensors)
    return {name: _array(value) for name, value in zip(names, values, strict=True)}


def _tensor(array: NDArray[Any]) -> ort.OrtValue:
    whole = np.ascontiguousarray(array)  # onnxruntime passes over strides without a word
    if whole.dtype == DATATYPES["BF16"]:
        return ort.OrtValue.ortvalue_from_numpy_with_onnx_type(whole.view(np.uint16), ONNX_BFLOAT16)
    return ort.OrtValue.ortvalue_from_numpy(whole)


def _array(value: ort.OrtValue) -> NDArray[Any]:
    if value.element_type() != ONNX_BFLOAT16:
        return np.asarray(value.numpy())
    return np.asarray(_Words(value)).view(DATATYPES["BF16"])


class _Words:
    """A tensor of onnxruntime as numpy reads it, without a copy; an array made of it keeps it alive."""

    def __init__(self, value: ort.OrtValue) -> None:
        self._value = value
        self.__array_interface__ = {
            "version": 3,
            "shape": tuple(value.shape()),
            "typestr": "<u2",
            "data": (value.data_ptr(), False),
        }
