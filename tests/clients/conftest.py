"""Pictures to predict, and a server that is not keraport."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from PIL import Image

from clients.results import TensorSpec
from serving.proto.methods import METHODS


@pytest.fixture
def save(tmp_path):
    """Save an array as a picture."""

    def save(pixels, name="picture.png"):
        path = tmp_path / name
        Image.fromarray(np.asarray(pixels)).save(path)
        return path

    return save


@pytest.fixture
def grey():
    return TensorSpec(name="image", datatype="UINT8", shape=(-1, 28, 28, 1))


@pytest.fixture
def colour():
    return TensorSpec(name="image", datatype="FP32", shape=(-1, 8, 6, 3))


@pytest.fixture
def light_on_dark():
    """A light block in the middle of a dark picture of 28 by 28."""
    pixels = np.zeros((28, 28), np.uint8)
    pixels[8:20, 8:20] = 200
    return pixels


class ForeignServer:
    """A server of the protocol that is not keraport; tests set what its methods answer."""

    def __init__(self):
        self.answers = {}
        self.asked = []
        self.start("127.0.0.1:0")

    def start(self, address):
        self._server = grpc.server(ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers((self,))
        self.url = f"127.0.0.1:{self._server.add_insecure_port(address)}"
        self._server.start()

    def stop(self):
        self._server.stop(0).wait()

    def service(self, details):
        name = details.method.rpartition("/")[2]
        method = METHODS[name]
        kind = (
            grpc.stream_stream_rpc_method_handler
            if method.streams_request
            else grpc.unary_unary_rpc_method_handler
        )

        def answer(request, context):
            self.asked.append((name, dict(context.invocation_metadata())))
            return self.answers[name](request, context)

        return kind(
            answer,
            request_deserializer=method.request.FromString,
            response_serializer=method.response.SerializeToString,
        )


@pytest.fixture
def foreign():
    """A running foreign server; its address is `url`."""
    foreign = ForeignServer()
    yield foreign
    foreign.stop()
