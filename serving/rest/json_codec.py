"""Between JSON and numpy arrays.

JSON has no NaN and no infinity: in answers they are `null`, and the output's parameter `non_finite` counts
them. FP16 and BF16 have no JSON form in the protocol. BYTES are UTF-8 strings.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from export.manifest import DATATYPES
from serving.codec import MAX_ELEMENTS
from serving.codec_bytes import MAX_STRINGS
from serving.errors import InvalidRequest, InvalidTensor, quoted, shortened
from serving.rest.messages import OutputTensor

T = TypeVar("T")

# Beyond, reading or writing would hold up the process's other requests for a tenth of a second and more.
MAX_JSON_BYTES = 16 * 1024 * 1024
MAX_JSON_VALUES = 2**20

_KINDS: Mapping[str, type] = {"b": bool, "i": int, "u": int, "f": float}
_VALUES: Mapping[str, type] = {
    **{
        name: _KINDS[dtype.kind] for name, dtype in DATATYPES.items() if name not in ("FP16", "BF16", "BYTES")
    },
    "BYTES": str,
}
_DECODERS: Mapping[type, msgspec.json.Decoder[list[Any]]] = {
    kind: msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]  # each of the four
    for kind in (bool, int, float, str)
}
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NO_STRUCTURE = bytes(set(range(256)) - set(b"[]{},:"))
_NAMES: Mapping[str, str] = {dtype.name: name for name, dtype in DATATYPES.items()} | {
    "bfloat16": "BF16",
    "object": "BYTES",
}


def decode_json(data: bytes | bytearray | memoryview, decoder: msgspec.json.Decoder[T], what: str) -> T:
    """Read JSON of a known type.

    Raises:
        InvalidRequest: it is not JSON, or of another type.
    """
    if len(data) > MAX_JSON_BYTES:
        raise InvalidRequest(
            f"{what} has {len(data)} bytes of JSON, expected at most {MAX_JSON_BYTES}: send binary data"
        )
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{what} is not as the protocol says: {shortened(str(error))}") from error
    except RecursionError as error:
        raise InvalidRequest(f"{what} is nested too deeply: send flat values") from error


def read_values(name: str, datatype: str, shape: Sequence[int], data: msgspec.Raw) -> NDArray[Any]:
    """Read a tensor's `data`, flat or nested as its shape says.

    Raises:
        InvalidTensor: its datatype has no JSON form, or its values are not what datatype and shape say.
        InvalidRequest: it is not JSON.
    """
    kind = _VALUES.get(datatype)
    if kind is None:
        expected = "binary data" if datatype in ("FP16", "BF16") else f"one of: {', '.join(_VALUES)}"
        raise InvalidTensor(f"{quoted(name)} came as {quoted(datatype)} in JSON, expected {expected}")
    size = _size(name, shape, MAX_STRINGS if kind is str else MAX_ELEMENTS)
    values = decode_json(_flat(name, shape, size, bytes(data), kind), _DECODERS[kind], quoted(name))
    if len(values) != size:
        raise InvalidTensor(f"{quoted(name)} came with {len(values)} values, expected {size}")
    return _array(name, datatype, values).reshape(tuple(shape))


def write_values(name: str, array: NDArray[Any]) -> OutputTensor:
    """Write a tensor with flat `data`.

    Raises:
        InvalidTensor: it has no JSON form, or is too large for it.
    """
    datatype = _NAMES[array.dtype.name]
    if datatype not in _VALUES:
        raise InvalidTensor(f"output {quoted(name)} is {datatype}, which JSON has not: ask for binary_data")
    if array.size > MAX_JSON_VALUES:
        raise InvalidTensor(
            f"output {quoted(name)} has {array.size} values, in JSON at most {MAX_JSON_VALUES}: "
            "ask for binary_data, or for fewer rows"
        )
    flat = array.reshape(-1)
    output = OutputTensor(name=name, datatype=datatype, shape=list(array.shape), data=flat.tolist())
    if datatype == "BYTES":
        output.data = [_text(name, value) for value in flat]
    elif array.dtype.kind == "f" and (lost := array.size - int(np.isfinite(array).sum())):
        output.parameters = {"non_finite": lost}
    return output


def _flat(name: str, shape: Sequence[int], size: int, content: bytes, kind: type) -> bytes:
    """The values without the brackets within, whose places are compared as text.

    As objects, a client's four million lists of a value each would take Python seconds.
    """
    # Fewer than they are, for an escaped backslash may stand before a quotation mark.
    if kind is str and (came := (content.count(b'"') - content.count(b'\\"')) // 2) > MAX_STRINGS:
        raise InvalidTensor(f"{quoted(name)} came with at least {came} values, expected {size}")
    brackets = (_STRING.sub(b"", content) if kind is str else content).translate(None, _NO_STRUCTURE)
    if size and (came := brackets.count(b",") + 1) != size:
        raise InvalidTensor(f"{quoted(name)} came with {came} values, expected {size}")
    if brackets == b"[" + b"," * (size - 1) + b"]":
        return content
    if len(brackets) != _length(shape) or brackets != _brackets(shape):
        raise InvalidTensor(
            f"{quoted(name)} came nested otherwise than its shape {shortened(str(shape))}: nest it so, or not"
        )
    if not size:
        return b"[]"
    return (
        b"[" + (b",".join(_STRING.findall(content)) if kind is str else content.translate(None, b"[]")) + b"]"
    )


def _brackets(shape: Sequence[int]) -> bytes:
    """The brackets and commas of values that are nested as a shape says."""
    inner = b""
    for size in reversed(shape):
        inner = b"[" + b",".join([inner] * size) + b"]"
    return inner


def _length(shape: Sequence[int]) -> int:
    """How many there are."""
    length = 0
    for size in reversed(shape):
        length = 2 + size * length + max(size - 1, 0)
    return length


def _size(name: str, shape: Sequence[int], most: int) -> int:
    if any(size < 0 for size in shape) or math.prod(size or 1 for size in shape) > most:
        expected = f"no negatives and at most {most} elements"
        raise InvalidTensor(f"{quoted(name)} came in shape {shortened(str(shape))}, expected {expected}")
    return math.prod(shape)


def _array(name: str, datatype: str, values: list[Any]) -> NDArray[Any]:
    if datatype == "BYTES":
        array = np.empty(len(values), np.object_)
        array[:] = values
        return array
    dtype = DATATYPES[datatype]
    try:
        with np.errstate(over="raise"):
            wide = np.float64 if dtype.kind == "f" else dtype
            return np.array(values, wide).astype(dtype, copy=False)
    except (OverflowError, FloatingPointError) as error:
        raise InvalidTensor(
            f"{quoted(name)} came with a value beyond {datatype}: choose a wider datatype"
        ) from error


def _text(name: str, value: bytes | str) -> str:
    if isinstance(value, str):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise InvalidTensor(f"output {quoted(name)} is not UTF-8 text: ask for binary_data") from error
