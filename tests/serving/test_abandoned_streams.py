"""Streams that clients leave in the middle: the server goes on."""

import asyncio

import grpc
import numpy as np
import pytest

from clients import AsyncClient
from serving.codec import encode
from serving.proto import inference_pb2 as pb
from serving.proto.methods import METHODS


def request():
    message = pb.ModelInferRequest(model_name="digits")
    encode({"image": np.zeros((1, 28, 28, 1), np.uint8)}, message.inputs, message.raw_input_contents)
    return message.SerializeToString()


async def leave(url, how):
    """Read some answers of an endless stream, then go."""
    content = request()

    async def endless():
        while True:
            yield content
            await asyncio.sleep(0)

    async with grpc.aio.insecure_channel(url) as channel:
        call = channel.stream_stream(METHODS["ModelStreamInfer"].path)(
            endless(), timeout=0.05 if how == "deadline" else None
        )
        try:
            for _ in range(50):
                await call.read()
            if how == "cancel":
                call.cancel()
        except (grpc.aio.AioRpcError, asyncio.CancelledError):
            assert how == "deadline"


@pytest.mark.parametrize("how", ["cancel", "close", "deadline"])
async def test_the_same_worker_goes_on(digits_server, how):
    before = digits_server.log.read_text()
    for _ in range(20):
        await leave(digits_server.url, how)
    async with AsyncClient(digits_server.url) as client:
        assert await client.live()
    assert "it is replaced" not in digits_server.log.read_text().removeprefix(before)
