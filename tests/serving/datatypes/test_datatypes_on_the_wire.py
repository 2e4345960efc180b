"""BYTES, FP16, BF16 and classes between real clients and a real server."""

import json
import subprocess
from pathlib import Path

import grpc
import numpy as np
import pytest

import clients
from clients import Client
from clients.prediction import predict_files
from export.manifest import DATATYPES
from serving.codec import decode, encode
from serving.proto import inference_pb2 as pb
from serving.proto.methods import METHODS

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def client(echo_server):
    with Client(echo_server.url) as client:
        yield client


@pytest.fixture
def classes_of(echo_server):
    """Ask `scores` for its outputs with a parameter `classification` each."""

    def ask(**parameters):
        request = pb.ModelInferRequest(model_name="scores")
        for name, fields in parameters.items():
            request.outputs.add(name=name).parameters["classification"].CopyFrom(pb.InferParameter(**fields))
        feed = {"x0": np.float32([[0.25, 1, 0.5]]), "x1": np.float16([[1, 2]])}
        encode(feed, request.inputs, request.raw_input_contents)
        method = METHODS["ModelInfer"]
        with grpc.insecure_channel(echo_server.url) as channel:
            send = channel.unary_unary(
                method.path,
                request_serializer=method.request.SerializeToString,
                response_deserializer=method.response.FromString,
            )
            response = send(request, timeout=30)
        return decode(response.outputs, response.raw_output_contents)

    return ask


@pytest.mark.parametrize(
    ("datatype", "values"),
    [
        ("BYTES", [["Zürich".encode(), b""], [b"a\0", b"b" * 1000]]),
        ("FP16", [[0.5, -2.0], [65504.0, 0.0]]),
        ("BF16", [[0.5, -2.0], [2.0**100, 0.0]]),
    ],
)
def test_values_come_back_as_they_were_sent(client, datatype, values):
    sent = np.array(values, DATATYPES[datatype])
    came = client.infer(datatype.lower(), {"x0": sent}).outputs["y0"]
    assert came.dtype == DATATYPES[datatype]
    assert came.tolist() == values
    assert client.metadata(datatype.lower()).inputs[0].datatype == datatype


def test_strings_are_sent_as_they_are(client):
    came = client.infer("bytes", {"x0": np.array([["Zürich", "a"]])}).outputs["y0"]
    assert came.tolist() == [["Zürich".encode(), b"a"]]


def test_what_is_no_text_fails_alone(client):
    with pytest.raises(clients.InvalidRequest, match="'x0' came with element 1 that is no UTF-8"):
        client.infer("bytes", {"x0": np.array([[b"a", b"\xff"]], np.object_)})
    with pytest.raises(clients.InvalidRequest, match="'x0' holds int in element 0, expected bytes or str"):
        client.infer("bytes", {"x0": np.array([[1]], np.object_)})
    assert client.infer("bytes", {"x0": np.array([["b"]])}).outputs["y0"].tolist() == [[b"b"]]


def test_words_are_no_probabilities(client, tmp_path):
    np.save(tmp_path / "x.npy", np.array(["a", "b"]))
    with pytest.raises(clients.InputError, match=r"words gives probabilities, neither .* use clients.Client"):
        predict_files(client, [tmp_path / "x.npy"], model="words")


def test_classes_with_labels_beside_plain_values(classes_of):
    answer = classes_of(y1={"int64_param": 0}, y0={"int64_param": 2})
    assert list(answer) == ["y1", "y0"]
    assert answer["y1"].tolist() == [[b"1", b"2"]]
    assert answer["y0"].tolist() == [[b"1.000000:1:b", b"0.500000:2:c"]]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"y1": {"int64_param": 1}}, "classes of output 'y1' were asked for: it holds no numbers"),
        ({"y0": {"int64_param": -1}}, "classification as int64_param -1, expected int64_param from 0"),
        ({"y0": {"string_param": "3"}}, "classification as string_param '3', expected int64_param from 0"),
    ],
)
def test_classes_that_cannot_be_given(classes_of, parameters, message):
    with pytest.raises(grpc.RpcError, match=message) as caught:
        classes_of(**parameters)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_nvidias_client(echo_server):
    command = [ROOT / ".venv-interop" / "bin" / "python", ROOT / "tests" / "interop" / "triton_datatypes.py"]
    result = subprocess.run(
        [*command, echo_server.url], capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {
        "BYTES": ["object", [["Zürich", ""], ["a\0", "b"]]],
        "FP16": ["float16", [[0.5, -2.0]]],
        "BF16": ["bfloat16", [[0.5, -2.0]]],
        "classes": [["1.000000:1:b", "0.500000:2:c"], ["3.000000:0:a", "2.000000:1:b"]],
    }
