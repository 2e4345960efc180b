"""Requests with anything changed in them are answered or refused, never an internal error."""

import contextlib
import http.client
import json
import random

import numpy as np
import pytest

TENSOR = {"name": "x", "datatype": "FP32", "shape": [2, 2]}
LENGTH = "Inference-Header-Content-Length"

JSON_VALUES = (
    *(
        None,
        True,
        0,
        -1,
        1,
        2**31,
        2**63,
        2**64,
        10**400,
        0.5,
        -0.0,
        1e308,
        "",
        "x",
        "BYTES",
        "FP16",
        "\0",
        "é",
    ),
    *(
        [],
        [[]],
        [0, 0],
        [[1, 2], [3, 4]],
        [-1],
        [0],
        {},
        {"a": 1},
        {"binary_data_size": 16},
        {"classification": 1},
    ),
    *({"shared_memory_region": "a"}, {"timeout": 1}, {"priority": 9}, {"binary_data": True}),
)


def changed(value, dice):
    """A JSON value with one of its parts replaced, doubled or left out."""
    if dice.random() < 0.2 or not isinstance(value, dict | list) or not value:
        return dice.choice(JSON_VALUES)
    if isinstance(value, list):
        place = dice.randrange(len(value))
        return [
            *value[:place],
            *([changed(value[place], dice)] * dice.choice((0, 1, 1, 2))),
            *value[place + 1 :],
        ]
    key = dice.choice(list(value))
    fields = {**value, key: changed(value[key], dice)}
    if dice.random() < 0.1:
        del fields[key]
    return fields


def damaged(content, dice):
    """Bytes with some of them changed, cut or doubled."""
    content = bytearray(content)
    for _ in range(dice.randrange(1, 4)):
        place = dice.randrange(len(content) + 1)
        match dice.randrange(3):
            case 0:
                content[place : place + 1] = bytes([dice.randrange(256)])
            case 1:
                del content[place : place + dice.randrange(1, 20)]
            case _:
                content[place:place] = content[place : place + dice.randrange(1, 20)]
    return bytes(content)


def mutations(dice, count):
    """Bodies and headers of requests."""
    values = np.array([[1, 2], [3, 4]], np.float32)
    given = {
        "id": "7",
        "parameters": {"timeout": 30_000_000, "binary_data_output": True},
        "outputs": [{"name": "y"}],
    }
    as_json = {**given, "inputs": [{**TENSOR, "data": values.tolist()}]}
    as_bytes = {**given, "inputs": [{**TENSOR, "parameters": {"binary_data_size": values.nbytes}}]}
    for _ in range(count):
        request, raw = dice.choice(((as_json, b""), (as_bytes, values.tobytes())))
        if dice.random() < 0.7:
            head = json.dumps(changed(request, dice)).encode()
        else:
            head = damaged(json.dumps(request).encode(), dice)
        raw = damaged(raw, dice) if raw and dice.random() < 0.3 else raw
        length = dice.choice((0, len(head) + 1, -1, "")) if dice.random() < 0.1 else len(head)
        yield head + raw, {LENGTH: str(length)} if raw or dice.random() < 0.3 else {}


@pytest.mark.parametrize("count", [500, pytest.param(50_000, marks=pytest.mark.slow)])
def test_whatever_comes_is_answered_or_refused(rest, count):
    statuses = {}
    connection = http.client.HTTPConnection("127.0.0.1", rest.port, timeout=30)
    with contextlib.closing(connection):
        for body, headers in mutations(random.Random(count), count):  # noqa: S311
            connection.request("POST", "/v2/models/FP32/infer", body, headers)
            response = connection.getresponse()
            content = response.read()
            assert response.status in (200, 400, 504), (response.status, body, headers)
            assert response.status == 200 or json.loads(content)["error"]
            statuses[response.status] = statuses.get(response.status, 0) + 1
    assert min(statuses[200], statuses[400]) > count / 20
    status, answer = rest.post("/v2/models/FP32/infer", {"inputs": [{**TENSOR, "data": [1, 2, 3, 4]}]})
    assert (status, answer["outputs"][0]["data"]) == (200, [1, 2, 3, 4])
