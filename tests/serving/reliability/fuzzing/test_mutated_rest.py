"""Mutated and random HTTP requests: answered rightly, or refused as the client's own fault."""

import asyncio
import collections
import copy
import json
import random
from urllib.parse import urlsplit

import numpy as np
import pytest

PATH = "/v2/models/digits/infer"
CONNECTIONS = 16
REFUSALS = {400, 404, 405, 408, 411, 413, 414, 415, 431, 501, 505}
VALUES = (
    None, True, 0, 1, -1, 255, 256, 2**31, 2**63, 2**64, 1e308, 0.5, "", "image", "UINT8", "x" * 2000, [],
    [[]], {},
)  # fmt: skip
BODIES = (
    b"", b"{", b"[]", b"null", b'{"inputs":[]}', b"[" * 3000, b"\xff\xfe", b'{"inputs":NaN}', b"\0" * 50,
)  # fmt: skip
PATHS = (
    "/v2/models/digits/versions/1/infer",
    "/v2/models/digits/versions/2/infer",
    "/v2/models/digits/versions/01/infer",
    "/v2/models/../infer",
    "/v2/models/%2e%2e%2fdigits/infer",
    "/v2/models/digits%00/infer",
    "/v2/models//infer",
    "/%",
    "/v2/" * 50,
)


class Case:
    """One request, mutated by its number."""

    def __init__(self, number):
        self._chance = random.Random(number)  # noqa: S311
        chance = self._chance
        self.images = np.random.default_rng(number).integers(
            0, 255, (1 + number % 3, 28, 28, 1), dtype=np.uint8
        )
        self.binary = chance.random() < 0.4
        self.plain = number % 10 == 0
        self._content = self._plain_content()
        self._tail = self.images.tobytes() if self.binary else b""
        self.path, self.body = PATH, json.dumps(self._content).encode()
        self.length = len(self.body)
        if self.plain:
            self.body += self._tail
        else:
            self._harm(chance)

    def _harm(self, chance):
        for _ in range(chance.choice((0, 1, 1, 1, 2, 4))):
            self._mutate(self._content)
        head, tail = json.dumps(self._content).encode(), self._tail
        self.length = len(head)
        if chance.random() < 0.3:
            head = self._bytes(head)
        if chance.random() < 0.1:
            tail = self._bytes(tail)
        if chance.random() < 0.1:
            self.length = chance.choice((0, -1, 1, self.length - 1, 2**40, "x", "", " 1"))
        if chance.random() < 0.1:
            self.path = chance.choice(PATHS)
        self.body = chance.choice(BODIES) if chance.random() < 0.03 else head + tail

    def _plain_content(self):
        tensor = {"name": "image", "datatype": "UINT8", "shape": list(self.images.shape)}
        if self.binary:
            tensor["parameters"] = {"binary_data_size": self.images.nbytes}
        else:
            flat = self._chance.random() < 0.5
            tensor["data"] = (self.images.ravel() if flat else self.images).tolist()
        content = {"id": "an id", "inputs": [tensor], "outputs": [{"name": "logits"}]}
        if self._chance.random() < 0.3:
            content["parameters"] = {"binary_data_output": True}
        return content

    def _mutate(self, content):
        """Change one place, found by going down at random."""
        place = content
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                return
            key = self._chance.choice(keys)
            if isinstance(place[key], dict | list) and self._chance.random() < 0.7:
                place = place[key]
                continue
            break
        match self._chance.randrange(4):
            case 0:
                del place[key]
            case 1 if isinstance(place, list):
                place.insert(key, copy.deepcopy(place[key]))
            case 2 if isinstance(place, dict):
                place[self._chance.choice(("id", "name", "data", "parameters", "x"))] = place[key]
            case _:
                place[key] = copy.deepcopy(self._chance.choice(VALUES))

    def _bytes(self, content):
        at = self._chance.randrange(min(len(content), 120) + 1)
        length = self._chance.choice((1, 1, 2, 8))
        middle = self._chance.choice((b"", self._chance.randbytes(length), content[at : at + length] * 2))
        return content[:at] + middle + content[at + length :]

    @property
    def http(self):
        lines = [f"POST {self.path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(self.body)}"]
        if self.binary:
            lines.append(f"Inference-Header-Content-Length: {self.length}")
        return "\r\n".join([*lines, "\r\n"]).encode() + self.body

    def check(self, status, headers, answer, expected):
        """Fail if that is no right reply."""
        if status == 200:
            images = self._read()
            assert images is not None
            assert not (images.reshape(-1, 784)[:, 0] == 255).any()
            _check_answer(headers, answer, expected(images), len(images))
        elif status == 500:
            assert (self._read().reshape(-1, 784)[:, 0] == 255).any()  # the model itself fails
        elif status == 504:
            assert b"timeout" in self.body
        else:
            assert status in REFUSALS
            assert not self.plain
            assert json.loads(answer)["error"]

    def _read(self):
        """The images as Python's own json reads them; None if they are not what the model takes."""
        try:
            length = int(self.length) if self.binary else len(self.body)
            content = json.loads(self.body[:length])
            (tensor,) = content["inputs"]
            if (tensor["name"], tensor["datatype"]) != ("image", "UINT8"):
                return None
            binary = "binary_data_size" in (tensor.get("parameters") or {})
            values = np.frombuffer(self.body[length:], np.uint8) if binary else np.array(tensor["data"])
            if not all(type(size) is int for size in tensor["shape"]) or values.dtype.kind not in "iu":
                return None
            images = values.reshape(tensor["shape"])
        except (ValueError, KeyError, TypeError):
            return None
        fits = images.shape[1:] == (28, 28, 1) and 1 <= len(images) <= 64
        return images if fits and images.min() >= 0 and images.max() <= 255 else None


def _check_answer(headers, answer, expected, rows):
    length = int(headers.get("inference-header-content-length", len(answer)))
    content = json.loads(answer[:length])
    assert (content["model_name"], content["model_version"]) == ("digits", "1")
    raw = answer[length:]
    for output in content["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size", 0)
        if output["datatype"] == "BYTES":  # classes, which have their own tests
            return
        assert output["shape"] == [rows, 10]
        values = np.frombuffer(raw[:size], "<f4") if size else np.array(output["data"])
        raw = raw[size:]
        np.testing.assert_allclose(values.reshape(-1, 10), expected[output["name"]], atol=1e-4)
    assert raw == b""


class Connection:
    """HTTP/1.1 by hand, so that anything can be sent."""

    def __init__(self, url):
        self._address = urlsplit(url).netloc.rsplit(":", 1)
        self._writer = None

    async def ask(self, content):
        if self._writer is None or self._writer.is_closing() or self._reader.at_eof():
            self.close()
            self._reader, self._writer = await asyncio.open_connection(*self._address)
        self._writer.write(content)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)
        }
        answer = await self._reader.readexactly(int(headers["content-length"]))
        if headers.get("connection") == "close":
            self.close()
        return int(head[0].split()[1]), headers, answer

    def close(self):
        if self._writer is not None:
            self._writer.close()
        self._writer = None


@pytest.mark.parametrize("requests", [500, pytest.param(20_000, marks=pytest.mark.slow)])
async def test_mutated_rest_requests_are_answered_rightly_or_refused(
    digits_server, classifier, report, requests
):
    numbers = iter(range(requests))
    statuses = collections.Counter()
    wrong = []

    async def ask_on():
        connection = Connection(digits_server.http_url)
        for number in numbers:
            case = Case(number)
            status, headers, answer = await asyncio.wait_for(connection.ask(case.http), 60)
            statuses[str(status)] += 1
            try:
                case.check(status, headers, answer, classifier.expected)
            except AssertionError as error:
                wrong.append(f"case {number}, {status}, {answer[:300]}: {case.http[:600]} {error}")
        connection.close()

    await asyncio.gather(*(ask_on() for _ in range(CONNECTIONS)))
    report(**statuses)
    assert wrong == []
    assert min(statuses["200"], statuses["400"]) > requests / 20
