"""Inferences as JSON: what travels, and what is refused."""

import json

import numpy as np
import pytest


def test_answers_equal_the_models(rest, images, five_images, classifier):
    request = {"id": "7", "inputs": [{**five_images, "data": images.tolist()}], "parameters": {"priority": 1}}
    status, answer = rest.post("/v2/models/digits/infer", request)
    assert status == 200
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("digits", "1", "7")
    expected = classifier.expected(images)
    assert [output["name"] for output in answer["outputs"]] == list(expected)
    for output in answer["outputs"]:
        assert (output["datatype"], output["shape"]) == ("FP32", [5, 10])
        values = np.array(output["data"], np.float32).reshape(5, 10)
        np.testing.assert_allclose(values, expected[output["name"]], atol=1e-4)


def test_flat_data_and_asked_for_outputs(rest, images, five_images, classifier):
    request = {
        "inputs": [{**five_images, "data": images.ravel().tolist()}],
        "outputs": [{"name": "probabilities"}],
        "parameters": {"timeout": 30_000_000},
    }
    status, answer = rest.post("/v2/models/digits/versions/1/infer", request)
    assert status == 200
    assert "id" not in answer
    [output] = answer["outputs"]
    np.testing.assert_allclose(
        np.reshape(output["data"], (5, 10)), classifier.expected(images)["probabilities"], atol=1e-4
    )


def test_nulls_stand_for_what_is_left_out(rest):
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2], "parameters": None}
    request = {"id": None, "parameters": None, "inputs": [tensor], "outputs": None}
    status, answer = rest.post("/v2/models/FP32/infer", request)
    assert (status, answer["outputs"][0]["data"]) == (200, [1.0, 2.0])


def test_classes_in_place_of_values(rest):
    tensor = {"name": "x", "datatype": "FP32", "shape": [2, 2], "data": [1, 2, 5, 4]}
    request = {"inputs": [tensor], "outputs": [{"name": "y", "parameters": {"classification": 1}}]}
    status, answer = rest.post("/v2/models/FP32/infer", request)
    assert (status, answer["outputs"][0]["datatype"], answer["outputs"][0]["shape"]) == (200, "BYTES", [2, 1])
    assert [each.split(":")[1:] for each in answer["outputs"][0]["data"]] == [["1", "b"], ["0", "a"]]


@pytest.mark.parametrize(
    ("datatype", "data", "expected"),
    [
        ("BOOL", [[True, False]], [True, False]),
        ("INT8", [[-128, 127]], [-128, 127]),
        ("UINT8", [0, 255], [0, 255]),
        ("INT64", [-(2**63), 2**63 - 1], [-(2**63), 2**63 - 1]),
        ("UINT64", [0, 2**64 - 1], [0, 2**64 - 1]),
        ("FP32", [0.1, -3], [float(np.float32(0.1)), -3.0]),
        ("FP64", [0.1, 1e300], [0.1, 1e300]),
        ("BYTES", [["Zürich", ""]], ["Zürich", ""]),
        ("BYTES", [['[",]\\', '\\"a\\']], ['[",]\\', '\\"a\\']),
        ("BYTES", ['[",]\\', "[[,"], ['[",]\\', "[[,"]),
    ],
)
def test_every_datatype_comes_back(echo_values, datatype, data, expected):
    status, output = echo_values(datatype, [1, 2], data)
    assert status == 200, output
    assert (output["datatype"], output["data"]) == (datatype, expected)


@pytest.mark.parametrize(
    ("datatype", "shape", "data", "said"),
    [
        ("INT8", [1, 2], [0, 128], "beyond INT8"),
        ("UINT8", [1, 2], [0, -1], "beyond UINT8"),
        ("INT64", [1, 2], [0, 2**63], "beyond INT64"),
        ("FP32", [1, 2], [0, 1e39], "beyond FP32"),
        ("INT8", [1, 2], [0, 1.5], "Expected `int`"),
        ("INT8", [1, 2], [0, True], "Expected `int`"),
        ("BOOL", [1, 2], [0, 1], "Expected `bool`"),
        ("FP32", [1, 2], [0, None], "Expected `float`"),
        ("FP32", [1, 2], ["0", "1"], "Expected `float`"),
        ("FP32", [1, 2], [0, 1, 2], "3 values, expected 2"),
        ("FP32", [2, 2], [[0, 1, 2], [3]], "nested otherwise than its shape [2, 2]"),
        ("FP32", [1, 2], [[[0, 1]]], "nested otherwise"),
        ("FP32", [1, 2], [{"a": 0, "b": 1}], "nested otherwise"),
        ("FP32", [1, 2], 5, "1 values, expected 2"),
        ("FP32", [1, 1], 5, "nested otherwise"),
        ("FP32", [0, 2], [[0, 1]], "nested otherwise"),
        ("BYTES", [2, 2], [["a", "b", "c"], ["d"]], "nested otherwise"),
        ("FP32", [1, -2], [0, 1], "no negatives"),
        ("FP32", [0, 10**30], [], "elements"),
        ("FP32", [1] * 33, [0], "Expected `array` of length <= 32"),
        ("FP16", [1, 2], [0, 1], "expected binary data"),
        ("BF16", [1, 2], [0, 1], "expected binary data"),
        ("BYTES", [1, 2], ["a", 1], "Expected `str`"),
        ("BYTES", [1, 2], ["a"], "1 values, expected 2"),
        ("BYTES", [1, 2], ["\\"] * 600_000, "at least 300000 values, expected 2"),
        ("BYTES", [2**17 + 1, 2], [], "at most 262144 elements"),
        ("FP33", [1, 2], [0, 1], "expected one of"),
        ("FP32", [1, 3], [0, 1, 2], "expected [-1, 2]"),
    ],
)
def test_what_a_datatype_or_shape_does_not_hold_is_refused(rest, datatype, shape, data, said):
    model = "FP32" if datatype == "FP33" else datatype
    tensor = {"name": "x", "datatype": datatype, "shape": shape, "data": data}
    status, answer = rest.post(f"/v2/models/{model}/infer", {"inputs": [tensor]})
    assert status == 400
    assert said in answer["error"]


def test_json_stays_json_where_values_are_not_finite(rest, echo_bytes):
    values = np.array([[np.nan, 1.0], [np.inf, -np.inf]], np.float32)
    np.testing.assert_array_equal(echo_bytes(values, "FP32"), values)
    tensor = {
        "name": "x",
        "datatype": "FP32",
        "shape": [2, 2],
        "parameters": {"binary_data_size": values.nbytes},
    }
    head = json.dumps({"inputs": [tensor]}).encode()
    length = {"Inference-Header-Content-Length": str(len(head))}
    status, answer = rest.post("/v2/models/FP32/infer", head + values.tobytes(), length)
    assert status == 200
    [output] = answer["outputs"]
    assert output["data"] == [None, 1.0, None, None]
    assert output["parameters"] == {"non_finite": 3}


TENSOR = '{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}'


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "not as the protocol says"),
        ("{", "not as the protocol says"),
        ("[]", "Expected `object`"),
        ('{"inputs": [], "id": "\xff', "not as the protocol says"),
        ("[" * 100_000, "Expected `object`"),
        ('{"inputs": [], "rest": ' + "[" * 100_000, "nested too deeply"),
        ("{}", "missing required field `inputs`"),
        ('{"inputs": []}', "inputs none came"),
        (f'{{"inputs": [{TENSOR}, {TENSOR}]}}', "came twice"),
        (f'{{"inputs": [{TENSOR}], "id": 7}}', "Expected `str | null`"),
        (f'{{"inputs": [{TENSOR}], "id": "{"i" * 1025}"}}', "over 1024 bytes"),
        (f'{{"inputs": [{TENSOR}], "outputs": [{{"name": "z"}}]}}', "expected any of: y"),
        (f'{{"inputs": [{TENSOR}], "outputs": [{{"name": "y"}}, {{"name": "y"}}]}}', "twice"),
        (f'{{"inputs": [{TENSOR}], "parameters": {{"timeout": "1"}}}}', "timeout"),
        (f'{{"inputs": [{TENSOR}], "parameters": {{"priority": true}}}}', "priority"),
        (f'{{"inputs": [{TENSOR}], "parameters": {{"sequence_id": 5}}}}', "sequence_id"),
        (f'{{"inputs": [{TENSOR}], "parameters": {{"binary_data_output": 1}}}}', "expected true or false"),
        ('{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2]}]}', "needs either data"),
        (TENSOR.replace("[1, 2]}", "[1, NaN]}").join(['{"inputs": [', "]}"]), "malformed"),
    ],
)
def test_what_is_no_request_is_refused(rest, body, said):
    status, answer = rest.post("/v2/models/FP32/infer", body.encode("latin-1"))
    assert status == 400
    assert said in answer["error"]
    assert len(answer["error"]) < 500


def members(count):
    """JSON of so many parameters."""
    return b"{" + b",".join(b'"a%d":1' % number for number in range(count)) + b"}"


TENSOR = b'{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]%s}'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"inputs":[%s]}' % b",".join([TENSOR % b""] * 1025), "1025 inputs"),
        (b'{"inputs":[%s]}' % b",".join([TENSOR % b""] * 20_000), "at most length 1024"),
        (b'{"inputs":[],"parameters":%s}' % members(1025), "1025 parameters"),
        (b'{"inputs":[],"parameters":%s}' % members(100_000), "beside its data"),
        (b'{"inputs":[%s]}' % (TENSOR % b',"parameters":%s' % members(1025)), "1025 parameters"),
        (b'{"inputs":[%s]}' % (TENSOR % b',"parameters":%s' % members(100_000)), "beside its data"),
        (b'{"inputs":[],"outputs":[%s]}' % b",".join([b'{"name":"y"}'] * 1025), "1025 outputs"),
        (b'{"inputs":[],"outputs":[%s]}' % b",".join([b'{"name":"y"}'] * 50_000), "beside its data"),
        (b'{"inputs":[],"outputs":[{"name":"y","parameters":%s}]}' % members(1025), "1025 parameters"),
        (b'{"inputs":[%s]}' % (TENSOR % b',"data":[%s1]' % (b"1," * 200_000)), "came with 200001 values"),
        (b'{"inputs":[%s]}' % (TENSOR % b',"shape":[%s1]' % (b"1," * 200_000)), "beside its data"),
        (b'{"inputs":[null]}' + b" " * 300_000, "Expected `object`, got `null`"),
        (b'{"parameters":{}}' + b" " * 300_000, "missing required field `inputs`"),
    ],
)
def test_a_request_names_no_more_than_any_model_needs(rest, content, said):
    status, answer = rest.post("/v2/models/FP32/infer", content)
    assert status == 400
    assert said in answer["error"]


def test_a_request_may_be_long_by_its_data(rest):
    blank = b" " * 300_000
    content = b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,%s2]}]}' % blank
    status, answer = rest.post("/v2/models/FP32/infer", content)
    assert (status, answer["outputs"][0]["data"]) == (200, [1.0, 2.0])
