"""The protocol's BYTES: elements of any length, in raw contents each behind its length in four bytes.

An array of them holds objects, each `bytes` or `str`. What is read from a message is `bytes`; onnxruntime
takes and gives `str`, so a model's elements must be UTF-8.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from serving.errors import InvalidTensor, quoted

# In one message. An element may be two bytes there, but is fifty of memory and half a microsecond.
MAX_STRINGS = 1 << 18

LENGTH_BYTES = 4
ORDER: Literal["little"] = "little"


def from_raw(name: str, shape: Sequence[int], content: bytes) -> NDArray[np.object_]:
    """Read the elements of raw contents.

    Args:
        name: of the tensor.
        shape: that it came in.
        content: its bytes.

    Raises:
        InvalidTensor: the contents end too early or too late.
    """
    count = math.prod(shape)
    elements: list[bytes] = []
    end = 0
    for index in range(count):
        start = end + LENGTH_BYTES
        end = start + int.from_bytes(content[end:start], ORDER)
        if end > len(content):
            raise InvalidTensor(
                f"{quoted(name)} came with {len(content)} bytes, which end in element {index} of {count}: "
                f"put each behind its length in {LENGTH_BYTES} bytes"
            )
        elements.append(content[start:end])
    if end < len(content):
        raise InvalidTensor(
            f"{quoted(name)} came with {len(content)} bytes, expected {end} for its {count} elements"
        )
    return np.fromiter(elements, np.object_, count).reshape(tuple(shape))


def to_raw(name: str, array: NDArray[Any]) -> bytes:
    """Raw contents of an array of `bytes` or `str`, the latter in UTF-8.

    Raises:
        InvalidTensor: an element is neither, or cannot be encoded.
    """
    parts: list[bytes] = []
    for index, element in enumerate(array.ravel().tolist()):
        content = _content(name, index, element)
        parts += (len(content).to_bytes(LENGTH_BYTES, ORDER), content)
    return b"".join(parts)


def as_text(name: str, array: NDArray[Any]) -> NDArray[np.object_]:
    """The same elements as `str`, which is all that onnxruntime takes: of `bytes` it would run the repr.

    Raises:
        InvalidTensor: an element is no UTF-8, or neither `bytes` nor `str`.
    """
    texts: list[str] = []
    for index, element in enumerate(array.ravel().tolist()):
        try:
            texts.append(_content(name, index, element).decode())
        except UnicodeDecodeError as error:
            raise InvalidTensor(
                f"{quoted(name)} came with element {index} that is no UTF-8, expected text"
            ) from error
    return np.fromiter(texts, np.object_, len(texts)).reshape(array.shape)


def _content(name: str, index: int, element: object) -> bytes:
    if isinstance(element, bytes):
        return element
    if not isinstance(element, str):
        kind = type(element).__name__
        raise InvalidTensor(f"{quoted(name)} holds {kind} in element {index}, expected bytes or str")
    try:
        return element.encode()
    except UnicodeEncodeError as error:
        raise InvalidTensor(
            f"{quoted(name)} holds half a surrogate pair in element {index}, expected text"
        ) from error
