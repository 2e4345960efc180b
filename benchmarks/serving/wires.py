"""How a server is asked: the bytes of one inference there, and of its answer back."""

import base64
from enum import StrEnum

import numpy as np

from benchmarks.serving.answers import Answer, read_message
from benchmarks.serving.body import Request, framed
from serving.proto.methods import SERVICE

LENGTH_DELIMITED = 2
BENTO_PIXELS, BENTO_ARRAY, BENTO_FLOATS = 2, 1, 3  # fields of its Request, Response and NDArray


class Wire(StrEnum):
    """What a server speaks."""

    OPEN_INFERENCE = "Open Inference Protocol, gRPC"
    BENTOML = "BentoML's own service, gRPC"
    JSON = "JSON with base64, HTTP/1.1"

    @property
    def grpc(self) -> bool:
        """Whether it is gRPC."""
        return self is not Wire.JSON

    @property
    def path(self) -> str:
        """Where a request goes."""
        match self:
            case Wire.OPEN_INFERENCE:
                return f"/{SERVICE.full_name}/ModelInfer"
            case Wire.BENTOML:
                return "/bentoml.grpc.v1.BentoService/Call"
            case Wire.JSON:
                return "/predict"

    def message(self, request: Request) -> bytes:
        """What is asked, without gRPC's frame."""
        pixels = request.images.tobytes()
        match self:
            case Wire.OPEN_INFERENCE:
                return request.message
            case Wire.BENTOML:
                return _field(1, b"predict") + _field(BENTO_PIXELS, pixels)
            case Wire.JSON:
                return b'{"pixels":"%s"}' % base64.b64encode(pixels)

    def body(self, request: Request) -> bytes:
        """What is asked, as it is sent."""
        return framed(self.message(request)) if self.grpc else self.message(request)

    def answer(self, content: bytes, shape: tuple[int, ...]) -> Answer:
        """What was answered; of `probabilities` the shape is known."""
        match self:
            case Wire.OPEN_INFERENCE:
                return read_message(content)
            case Wire.BENTOML:
                values = _find(_find(content, BENTO_ARRAY), BENTO_FLOATS)
            case Wire.JSON:
                values = content
        return {"probabilities": np.frombuffer(values, np.float32).reshape(shape)}


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field of a protobuf message."""
    return _varint(number << 3 | LENGTH_DELIMITED) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _find(message: bytes, wanted: int) -> bytes:
    """The content of a message's first length-delimited field of a number; empty if there is none."""
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = message[place]
            place += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004  (the last of the varint)
                return value
            shift += 7

    while place < len(message):
        tag, value = varint(), varint()
        if tag & 7 == LENGTH_DELIMITED:
            content, place = message[place : place + value], place + value
            if tag >> 3 == wanted:
                return content
    return b""
