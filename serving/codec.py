"""Between numpy arrays and the protocol's tensors, for server and client alike.

Raw contents are little-endian and row-major; typed contents are the protocol's repeated fields. A message
uses one of the two for all its tensors.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from export.manifest import DATATYPES, TensorInfo
from export.runner import Answer, Feed
from serving.codec_bytes import MAX_STRINGS, as_text, from_raw, to_raw
from serving.errors import QUOTED_CHARACTERS, InvalidTensor, quoted, shortened
from serving.proto.inference_pb2 import InferTensorContents

_NAMES = {dtype: name for name, dtype in DATATYPES.items()}
_LITTLE_ENDIAN = {name: dtype.newbyteorder("<") for name, dtype in DATATYPES.items()}

TEXT_KINDS = "OSTU"  # numpy's kinds of arrays of bytes or str: objects, and those of its own string types

MAX_RANK = 32  # numpy 1's limit, which no model is known to need

# An element takes at least a byte of the message. Counted without zeros, which hide any size beside them.
MAX_ELEMENTS = 1 << 31  # the most bytes that a message of gRPC's can have

# The repeated field that holds each datatype; FP16 and BF16 have none and travel raw only.
TYPED_FIELDS: Mapping[str, str] = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


class Tensor(Protocol):
    """What InferInputTensor and InferOutputTensor have in common."""

    name: str
    datatype: str

    @property
    def shape(self) -> Sequence[int]:
        """Row-major dimensions."""
        ...

    @property
    def contents(self) -> InferTensorContents:
        """The typed contents."""
        ...

    def HasField(self, field_name: Literal["contents"], /) -> bool:  # noqa: N802  (protobuf's name)
        """Whether a message field was sent."""
        ...


class TensorContainer(Protocol):
    """A repeated field of tensors."""

    def add(self, *, name: str, datatype: str, shape: Iterable[int]) -> Message:
        """Append a tensor."""
        ...


class RawContainer(Protocol):
    """A repeated field of raw contents."""

    def append(self, value: bytes, /) -> None:
        """Append one tensor's bytes."""
        ...


def decode(tensors: Sequence[Tensor], raw: Sequence[bytes]) -> Answer:
    """Read a message's tensors, whatever the model.

    Args:
        tensors: the message's tensors.
        raw: its raw contents, one a tensor in the same order, or none where contents are typed.

    Returns:
        Name to array; raw contents are not copied, so these arrays are read-only.

    Raises:
        InvalidTensor: a tensor contradicts itself.
    """
    if raw and len(raw) != len(tensors):
        raise InvalidTensor(f"{len(raw)} raw contents came for {len(tensors)} tensors: send one for each")
    arrays: Answer = {}
    texts = 0
    for position, tensor in enumerate(tensors):
        name, datatype = tensor.name, tensor.datatype
        if name in arrays:
            raise InvalidTensor(f"{quoted(name)} came twice: send each tensor once")
        if datatype not in DATATYPES:
            known = ", ".join(DATATYPES)
            raise InvalidTensor(f"{quoted(name)} came as {quoted(datatype)}, expected one of: {known}")
        shape = _checked_shape(name, tensor.shape)
        if datatype == "BYTES":
            texts += math.prod(shape)
            if texts > MAX_STRINGS:
                raise InvalidTensor(
                    f"{quoted(name)} came with element {MAX_STRINGS + 1} of BYTES: send fewer in one message"
                )
        if not raw:
            arrays[name] = _from_typed(tensor, datatype, shape)
        elif tensor.HasField("contents"):
            raise InvalidTensor(f"{quoted(name)} came with raw and with typed contents: send one of the two")
        elif datatype == "BYTES":
            arrays[name] = from_raw(name, shape, raw[position])
        else:
            arrays[name] = _from_raw(name, datatype, shape, raw[position])
    return arrays


def encode(arrays: Feed, tensors: TensorContainer, raw: RawContainer) -> None:
    """Append arrays to a message, as raw contents.

    Raises:
        InvalidTensor: the protocol has no such dtype, or an array of objects holds what is no text.
    """
    for name, array in arrays.items():
        datatype = _NAMES.get(array.dtype) or _datatype(name, array.dtype)
        if datatype == "BYTES":
            content = to_raw(name, array)
        else:
            content = array.astype(_LITTLE_ENDIAN[datatype], copy=False).tobytes()
        tensors.add(name=name, datatype=datatype, shape=array.shape)
        raw.append(content)


def check_feed(feed: Feed, inputs: Sequence[TensorInfo], *, max_rows: int) -> int:
    """Check that arrays are what a model takes.

    Args:
        feed: input name to array.
        inputs: the model's inputs; the first dimension of each counts rows.
        max_rows: that one request may hold.

    Returns:
        The number of rows.

    Raises:
        InvalidTensor: a name, dtype, shape or number of rows is not what the model takes, or a text is none.
    """
    expected = {tensor.name: tensor for tensor in inputs}
    if feed.keys() != expected.keys():
        raise InvalidTensor(f"inputs {_quoted(feed)} came, expected {_quoted(expected)}")
    for name, array in feed.items():
        _check_input(array, expected[name])
    counts: dict[str, int] = {name: array.shape[0] for name, array in feed.items()}
    rows = next(iter(counts.values()))
    if len(set(counts.values())) > 1:
        each = ", ".join(f"{name!r} {count}" for name, count in counts.items())
        raise InvalidTensor(f"inputs came with different numbers of rows ({each}), expected the same")
    if not 1 <= rows <= max_rows:
        raise InvalidTensor(f"{_quoted(feed)} came with {rows} rows, expected 1 to {max_rows}: split them")
    return rows


def _check_input(array: NDArray[Any], expected: TensorInfo) -> None:
    datatype = _NAMES[array.dtype]
    if datatype != expected.datatype:
        raise InvalidTensor(f"{expected.name!r} came as {datatype}, expected {expected.datatype}")
    fits = len(array.shape) == len(expected.shape) and all(
        want in (-1, size) for size, want in zip(array.shape, expected.shape, strict=True)
    )
    if not fits:
        raise InvalidTensor(
            f"{expected.name!r} came in shape {_text(array.shape)}, expected {_text(expected.shape)}"
        )
    if datatype == "BYTES":
        as_text(expected.name, array)  # as a model takes it; one request's must not spoil a batch


def _datatype(name: str, dtype: np.dtype[Any]) -> str:
    """The datatype of an array whose dtype is not just the one that is read."""
    datatype = "BYTES" if dtype.kind in TEXT_KINDS else _NAMES.get(dtype.newbyteorder("="))
    if datatype is None:
        raise InvalidTensor(f"{quoted(name)} is {dtype}, expected one of: {', '.join(DATATYPES)}")
    return datatype


def _checked_shape(name: str, sizes: Sequence[int]) -> tuple[int, ...]:
    """The shape, unless no array could have it, whatever its contents."""
    if len(sizes) > MAX_RANK:
        expected = f"at most {MAX_RANK} dimensions"
    else:
        shape = tuple(sizes)
        if min(shape, default=0) < 0:
            expected = "no negatives"
        elif math.prod(size or 1 for size in shape) > MAX_ELEMENTS:
            expected = f"at most {MAX_ELEMENTS} elements"
        else:
            return shape
    raise InvalidTensor(f"{quoted(name)} came in shape {_text(sizes)}, expected {expected}")


def _from_raw(name: str, datatype: str, shape: tuple[int, ...], content: bytes) -> NDArray[Any]:
    dtype = _LITTLE_ENDIAN[datatype]
    size = math.prod(shape) * dtype.itemsize
    if len(content) != size:
        raise InvalidTensor(
            f"{quoted(name)} came with {len(content)} bytes, expected {size} for {datatype} {_text(shape)}"
        )
    # numpy takes any byte for a bool, and computes nonsense with those that are neither 0 nor 1.
    if datatype == "BOOL" and content.translate(None, b"\0\1"):
        raise InvalidTensor(f"{quoted(name)} came with bytes that are neither 0 nor 1, expected BOOL")
    return np.ndarray(shape, dtype, content)


def _from_typed(tensor: Tensor, datatype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    field = TYPED_FIELDS.get(datatype)
    if field is None:
        raise InvalidTensor(f"{quoted(tensor.name)} came typed, expected raw contents for {datatype}")
    for sent, _ in tensor.contents.ListFields():
        if sent.name != field:
            raise InvalidTensor(f"{quoted(tensor.name)} came in {sent.name}, expected {field} for {datatype}")
    values = getattr(tensor.contents, field)
    size = math.prod(shape)
    if len(values) != size:
        raise InvalidTensor(
            f"{quoted(tensor.name)} came with {len(values)} values, expected {size} for shape {_text(shape)}"
        )
    try:
        return np.array(values, dtype=DATATYPES[datatype]).reshape(shape)
    except OverflowError as error:
        raise InvalidTensor(
            f"{quoted(tensor.name)} came with a value beyond {datatype}: choose a wider datatype"
        ) from error


def _text(shape: Sequence[int]) -> str:
    # A size has a character at least: no more of them could be shown.
    return shortened(f"[{', '.join(map(str, shape[:QUOTED_CHARACTERS]))}]")


def _quoted(names: Iterable[str]) -> str:
    return shortened(", ".join(quoted(name) for name in names)) or "none"
