"""The binary extension: a JSON object, then the bytes of the tensors that it names, in its order."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from google.protobuf.message import Message
from numpy.typing import NDArray

from serving.codec import decode, encode
from serving.errors import InvalidRequest, quoted
from serving.proto.inference_pb2 import InferTensorContents, ModelInferResponse
from serving.rest.messages import InputTensor, OutputTensor

_LENGTH = re.compile(r"[0-9]{1,19}")


class _RawTensor:
    """An input as the codec wants it: without typed contents."""

    contents = InferTensorContents()

    def __init__(self, tensor: InputTensor) -> None:
        self.name = tensor.name
        self.datatype = tensor.datatype
        self.shape: Sequence[int] = tensor.shape

    def HasField(self, _: Literal["contents"], /) -> bool:  # noqa: N802  (protobuf's name)
        return False


class _Tensors:
    """Outputs as the codec appends them."""

    def __init__(self) -> None:
        self.outputs: list[OutputTensor] = []

    def add(self, *, name: str, datatype: str, shape: Iterable[int]) -> Message:
        self.outputs.append(OutputTensor(name=name, datatype=datatype, shape=list(shape)))
        return ModelInferResponse.InferOutputTensor()  # for whom appends parameters


def split_body(body: bytearray, header: str | None) -> tuple[memoryview, memoryview]:
    """Part a body into its JSON and the tensors behind.

    Args:
        body: of the request.
        header: `Inference-Header-Content-Length`; None where all is JSON.

    Raises:
        InvalidRequest: the header is no length within the body.
    """
    content = memoryview(body)
    if header is None:
        return content, content[len(content) :]
    if not _LENGTH.fullmatch(header) or not 0 < int(header) <= len(body):
        raise InvalidRequest(
            f"Inference-Header-Content-Length came as {quoted(header)}, "
            f"expected the length of the JSON, 1 to {len(body)}"
        )
    return content[: int(header)], content[int(header) :]


def read_binary(sizes: Sequence[tuple[InputTensor, int]], content: memoryview) -> dict[str, NDArray[Any]]:
    """Read tensors from the bytes behind the JSON.

    Args:
        sizes: the tensors that are there, in order, each with its number of bytes.
        content: those bytes.

    Raises:
        InvalidRequest: the sizes don't add up to what came.
        InvalidTensor: a tensor's bytes are not what its datatype and shape say.
    """
    expected = sum(size for _, size in sizes)
    if expected != len(content):
        raise InvalidRequest(
            f"{len(content)} bytes came behind the JSON, expected {expected}, the sum of binary_data_size"
        )
    raw: list[bytes] = []
    start = 0
    for _, size in sizes:
        raw.append(bytes(content[start : start + size]))  # aligned, and without the rest of the body
        start += size
    return decode([_RawTensor(tensor) for tensor, _ in sizes], raw)


def write_binary(name: str, array: NDArray[Any]) -> tuple[OutputTensor, bytes]:
    """Write a tensor as its JSON and the bytes to stand behind."""
    tensors = _Tensors()
    raw: list[bytes] = []
    encode({name: array}, tensors, raw)
    output = tensors.outputs[0]
    output.parameters = {"binary_data_size": len(raw[0])}
    return output, raw[0]
