"""Requests that begin as one before are read as protobuf and the codec would read them."""

import numpy as np
import pytest

from serving.codec import encode
from serving.errors import RequestError
from serving.proto import inference_pb2 as pb
from serving.rpc.reader import RequestReader
from serving.rpc.requests import read_inference


def request(*arrays, model="digits", **fields):
    message = pb.ModelInferRequest(model_name=model, **fields)
    encode(
        {f"x{place}": array for place, array in enumerate(arrays)}, message.inputs, message.raw_input_contents
    )
    return message.SerializeToString()


def read(reader, content):
    """What is read, in a form that can be compared; an error's text where it is refused."""
    try:
        found = reader(content, 1.5)
    except RequestError as error:
        return type(error), str(error)
    feed = {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in found.feed.items()}
    rest = (found.model, found.version, found.id, found.timeout_s, found.remaining_s, found.priority)
    return feed, dict(found.outputs), *rest, found.wire_bytes


def same(reader, content):
    assert read(reader.read, content) == read(read_inference, content)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16, np.float32, np.bool_])
def test_new_values_in_a_known_form(dtype):
    reader = RequestReader()
    generator = np.random.default_rng(0)
    for _ in range(3):
        for rows in (1, 2, 40):
            same(reader, request((generator.random((rows, 7)) * 2).astype(dtype)))


def test_parameters_and_outputs_come_along():
    reader = RequestReader()
    outputs = [pb.ModelInferRequest.InferRequestedOutputTensor(name="y")]
    outputs[0].parameters["classification"].int64_param = 3
    for value in range(3):
        array = np.full((2, 3), value, np.float32)
        same(
            reader, request(array, parameters={"timeout": pb.InferParameter(int64_param=5)}, outputs=outputs)
        )
        same(
            reader, request(array, parameters={"priority": pb.InferParameter(int64_param=2)}, outputs=outputs)
        )
        same(reader, request(array, parameters={"sequence_id": pb.InferParameter(int64_param=2)}))


def test_what_looks_alike_but_is_not():
    reader = RequestReader()
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    plain = request(array)
    for content in (
        plain,
        request(array, model="letter"),  # as long
        plain[:-1],
        plain + b"\x1a\x01i",  # an id behind the values
        plain[:-3] + b"\x1a\x01i",  # in their place
        request(array, array),
        request(array, id="a"),
        request(array, id="b"),
        plain + plain[-8:],  # two raw contents
    ):
        for _ in range(2):
            same(reader, content)


def test_a_hundred_thousand_mutations_are_read_alike():
    generator = np.random.default_rng(7)
    reader = RequestReader()
    seeds = [
        bytearray(request(generator.integers(0, 256, (rows, 5)).astype(dtype), **fields))
        for rows in (1, 3)
        for dtype in (np.uint8, np.float32)
        for fields in ({}, {"model_version": "1"}, {"id": "7"})
    ]
    for _ in range(100_000 // 8):
        content = bytearray(seeds[generator.integers(len(seeds))])
        same(reader, bytes(content))
        for place in generator.integers(0, len(content), 7):
            content[place] = generator.integers(0, 256)
            same(reader, bytes(content))
