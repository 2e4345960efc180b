"""Streams that clients leave in the middle: the server goes on."""

import itertools

import grpc
import numpy as np
import pytest

from clients import Client
from serving.codec import encode
from serving.proto import inference_pb2 as pb
from serving.proto.methods import METHODS


def request():
    message = pb.ModelInferRequest(model_name="digits")
    encode({"image": np.zeros((1, 28, 28, 1), np.uint8)}, message.inputs, message.raw_input_contents)
    return message.SerializeToString()


def leave(url, how):
    """Read some answers of an endless stream, then go."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(url, options=options) as channel:
        call = channel.stream_stream(METHODS["ModelStreamInfer"].path)(
            itertools.repeat(request()), timeout=0.1 if how == "deadline" else 60
        )
        if how == "deadline":
            with pytest.raises(grpc.RpcError, match="Deadline Exceeded"):
                list(call)
            return
        for _ in range(50):
            next(call)
        if how == "cancel":
            call.cancel()


@pytest.mark.parametrize("how", ["cancel", "close", "deadline"])
def test_the_same_worker_goes_on(digits_server, how):
    before = digits_server.log.read_text()
    for _ in range(20):
        leave(digits_server.url, how)
    with Client(digits_server.url) as client:
        assert client.live()
    assert "it is replaced" not in digits_server.log.read_text().removeprefix(before)
