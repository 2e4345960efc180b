"""The binary extension, and bodies that are compressed."""

import gzip
import json
import zlib

import numpy as np
import pytest

LENGTH = "Inference-Header-Content-Length"


def binary_request(images, **parameters):
    tensor = {
        "name": "image",
        "datatype": "UINT8",
        "shape": list(images.shape),
        "parameters": {"binary_data_size": images.nbytes},
    }
    head = json.dumps({"inputs": [tensor], **parameters}).encode()
    return head, {LENGTH: str(len(head))}


def outputs_of(headers, body):
    size = int(headers[LENGTH])
    answer, raw = json.loads(body[:size]), body[size:]
    arrays = {}
    for output in answer["outputs"]:
        if "data" in output:
            values = np.array(output["data"], np.float32)
        else:
            count = output["parameters"]["binary_data_size"]
            values, raw = np.frombuffer(raw[:count], np.float32), raw[count:]
        arrays[output["name"]] = values.reshape(output["shape"])
    assert raw == b""
    return arrays


@pytest.mark.parametrize(
    ("outputs", "default", "binary"),
    [
        ([], True, {"logits", "probabilities"}),
        (
            [{"name": "probabilities", "parameters": {"binary_data": True}}, {"name": "logits"}],
            False,
            {"probabilities"},
        ),
        (
            [{"name": "probabilities", "parameters": {"binary_data": False}}, {"name": "logits"}],
            True,
            {"logits"},
        ),
    ],
)
def test_each_output_comes_as_it_was_asked_for(rest, images, classifier, outputs, default, binary):
    head, headers = binary_request(images, outputs=outputs, parameters={"binary_data_output": default})
    status, answered, body = rest.ask("POST", "/v2/models/digits/infer", head + images.tobytes(), headers)
    assert (status, answered["Content-Type"]) == (200, "application/octet-stream")
    assert int(answered["Content-Length"]) == len(body)
    described = json.loads(body[: int(answered[LENGTH])])["outputs"]
    assert {each["name"] for each in described if "data" not in each} == binary
    arrays = outputs_of(answered, body)
    assert list(arrays) == ([each["name"] for each in outputs] or ["logits", "probabilities"])
    for name, values in classifier.expected(images).items():
        np.testing.assert_allclose(arrays[name], values, atol=1e-4)


@pytest.mark.parametrize("datatype", ["BOOL", "INT8", "INT64", "UINT64", "FP16", "FP32", "FP64"])
def test_every_datatype_comes_back(echo_bytes, datatype):
    dtype = {
        "BOOL": "?",
        "INT8": "i1",
        "INT64": "<i8",
        "UINT64": "<u8",
        "FP16": "<f2",
        "FP32": "<f4",
        "FP64": "<f8",
    }
    values = np.array([[0, 1], [1, 1], [1, 0]], dtype[datatype])
    np.testing.assert_array_equal(echo_bytes(values, datatype), values)


def test_half_precision_has_no_json_form(rest):
    tensor = {"name": "x", "datatype": "FP16", "shape": [1, 2], "parameters": {"binary_data_size": 4}}
    head = json.dumps({"inputs": [tensor]}).encode()
    status, answer = rest.post("/v2/models/FP16/infer", head + bytes(4), {LENGTH: str(len(head))})
    assert status == 400
    assert "ask for binary_data" in answer["error"]


@pytest.mark.parametrize(
    ("size", "content", "length", "said"),
    [
        (8, bytes(7), None, "7 bytes came behind the JSON, expected 8"),
        (8, bytes(9), None, "9 bytes came behind the JSON, expected 8"),
        (7, bytes(7), None, "7 bytes, expected 8"),
        (-1, bytes(8), None, "whole number"),
        (8, bytes(8), "0", "the length of the JSON"),
        (8, bytes(8), "100000", "the length of the JSON"),
        (8, bytes(8), "-5", "the length of the JSON"),
        (8, bytes(8), "1e2", "the length of the JSON"),
        (8, bytes(8), "9" * 40, "the length of the JSON"),
        (8, bytes(8), "20", "not as the protocol says"),
    ],
)
def test_bytes_that_do_not_add_up_are_refused(rest, size, content, length, said):
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": size}}
    head = json.dumps({"inputs": [tensor]}).encode()
    headers = {LENGTH: length or str(len(head))}
    status, answer = rest.post("/v2/models/FP32/infer", head + content, headers)
    assert status == 400
    assert said in answer["error"]


def test_both_data_and_bytes_are_refused(rest):
    tensor = {
        "name": "x",
        "datatype": "FP32",
        "shape": [1, 2],
        "data": [1, 2],
        "parameters": {"binary_data_size": 8},
    }
    head = json.dumps({"inputs": [tensor]}).encode()
    status, answer = rest.post("/v2/models/FP32/infer", head + bytes(8), {LENGTH: str(len(head))})
    assert status == 400
    assert "either" in answer["error"]


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
@pytest.mark.parametrize("accepted", ["gzip", "deflate", "br, deflate;q=0.5, gzip;q=0"])
def test_compressed_both_ways(rest, images, classifier, encoding, pack, accepted):
    images = np.repeat(images, 12, axis=0)
    head, headers = binary_request(images, parameters={"binary_data_output": True})
    status, answered, body = rest.ask(
        "POST",
        "/v2/models/digits/infer",
        pack(head + images.tobytes()),
        {**headers, "Content-Encoding": encoding, "Accept-Encoding": accepted},
    )
    assert status == 200, body
    assert answered["Content-Encoding"] == ("gzip" if accepted == "gzip" else "deflate")
    unpack = gzip.decompress if accepted == "gzip" else zlib.decompress
    for name, values in outputs_of(answered, unpack(body)).items():
        np.testing.assert_allclose(values, classifier.expected(images)[name], atol=1e-4)


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("gzip", b"nothing of the kind", 400),
        ("gzip", gzip.compress(bytes(1000))[:-4], 400),
        ("deflate", zlib.compress(bytes(1000)) + b"more", 400),
        ("br", b"", 415),
        ("gzip, gzip", b"", 415),
    ],
)
def test_what_cannot_be_decompressed_is_refused(rest, encoding, body, status):
    came, answer = rest.post("/v2/models/FP32/infer", body, {"Content-Encoding": encoding})
    assert came == status
    assert answer["error"]
