"""What every server is asked: the same random images, and the protocol's message of them."""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.proto import inference_pb2 as pb

SEED = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One inference.

    Attributes:
        images: what is sent, UINT8 [rows, height, width, channels].
        message: the protocol's ModelInferRequest.
    """

    images: NDArray[np.uint8]
    message: bytes


def framed(message: bytes) -> bytes:
    """A message behind gRPC's prefix: not compressed, and its length in four big-endian bytes."""
    return struct.pack(">BI", 0, len(message)) + message


def infer_request(model: str, shape: tuple[int, ...], rows: int) -> Request:
    """A request for random images.

    Args:
        model: the name.
        shape: of one image.
        rows: images in it.
    """
    images = np.random.default_rng(SEED).integers(0, 256, (rows, *shape), dtype=np.uint8)
    message = pb.ModelInferRequest(model_name=model)
    message.inputs.add(name="image", datatype="UINT8", shape=images.shape)
    message.raw_input_contents.append(images.tobytes())
    return Request(images=images, message=message.SerializeToString())
