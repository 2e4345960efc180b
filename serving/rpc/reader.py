"""Reading of requests that begin as one before: only their one tensor's values are new.

A client's requests for a model are alike up to the values: the head names model, inputs and outputs, and the
raw contents are the tail. What protobuf and the codec have made of a head holds for every request of the same
length that begins with it, for a message is read field by field and the tail is one whole field.
"""

from dataclasses import dataclass

import numpy as np
from google.protobuf.message import DecodeError

from serving.inference import Inference
from serving.operations.watching import Watch
from serving.proto import inference_pb2 as pb
from serving.rpc.requests import read_inference

# Of requests that are remembered, one for each length and beginning, and of their heads.
MAX_KNOWN = 256
KEY_BYTES = 40  # as far as a model's name usually goes
MAX_HEAD_BYTES = 1024

RAW_INPUT_CONTENTS = pb.ModelInferRequest.DESCRIPTOR.fields_by_name["raw_input_contents"].number
LENGTH_DELIMITED = 2
TAG = bytes([RAW_INPUT_CONTENTS << 3 | LENGTH_DELIMITED])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    head: bytes
    model: str
    version: str
    outputs: dict[str, int]
    timeout_s: float | None
    priority: int
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]


class RequestReader:
    """Reads inference requests; made once a process."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, bytes], _Known] = {}

    def read(self, content: bytes, remaining_s: float | None, watch: Watch | None = None) -> Inference:
        """Read a request: what `read_inference` makes of it.

        Args:
            content: its bytes.
            remaining_s: until the RPC's deadline.
            watch: is told what it is about if that is known before it is read whole.

        Raises:
            InvalidRequest: it cannot be read, or asks for what this server does not do.
            InvalidTensor: its tensors contradict the protocol.
        """
        size = len(content)
        known = self._known.get((size, content[:KEY_BYTES]))
        if known is None or not content.startswith(known.head):
            inference = read_inference(content, remaining_s, watch)
            self._remember(content, inference)
            return inference
        # The values begin anywhere in the message; a copy of the tail begins where any dtype may.
        offset = len(known.head)
        if known.dtype.itemsize == 1:
            array = np.ndarray(known.shape, known.dtype, content, offset)
        else:
            array = np.ndarray(known.shape, known.dtype, content[offset:])
        return Inference(
            model=known.model,
            version=known.version,
            feed={known.name: array},
            outputs=known.outputs,
            timeout_s=known.timeout_s,
            remaining_s=remaining_s,
            priority=known.priority,
            wire_bytes=size,
        )

    def _remember(self, content: bytes, inference: Inference) -> None:
        # An id is another each time; the values of BOOL and BYTES are looked at before they are taken.
        if inference.id or len(inference.feed) != 1:
            return
        ((name, array),) = inference.feed.items()
        if array.dtype.kind not in "iuf" or not array.nbytes:
            return
        head = content[: len(content) - array.nbytes]
        end = TAG + _varint(array.nbytes)
        if len(head) > MAX_HEAD_BYTES or not head.endswith(end) or not _whole(head[: -len(end)]):
            return
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[len(content), content[:KEY_BYTES]] = _Known(
            head=head,
            model=inference.model,
            version=inference.version,
            outputs=dict(inference.outputs),
            timeout_s=inference.timeout_s,
            priority=inference.priority,
            name=name,
            shape=array.shape,
            dtype=array.dtype,
        )


def _whole(front: bytes) -> bool:
    """Whether bytes are whole fields, none of them raw contents: one that follows is then the only one."""
    try:
        return not pb.ModelInferRequest.FromString(front).raw_input_contents
    except DecodeError:
        return False


def _varint(number: int) -> bytes:
    """A length as protobuf writes it."""
    written = bytearray()
    while number > 0x7F:  # noqa: PLR2004  (seven bits a byte)
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*written, number))
