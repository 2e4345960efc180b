"""Every path but the inferences': health, metadata, statistics, control, pages."""

import importlib.metadata
import json
import re
from html.parser import HTMLParser

import pytest

from serving.security.tokens import Tokens


def test_health(rest):
    assert rest.get("/v2/health/live") == (200, {"live": True})
    assert rest.get("/v2/health/ready") == (200, {"ready": True})
    assert rest.get("/v2/models/digits/ready") == (200, {"name": "digits", "ready": True})
    assert rest.get("/v2/models/digits/versions/1/ready")[0] == 200
    assert rest.get("/v2/models/digits/versions/2/ready")[0] == 404
    assert rest.get("/v2/models/letters/ready")[0] == 404


def test_server_metadata(rest):
    status, answer = rest.get("/v2")
    assert (status, answer["name"], answer["version"]) == (
        200,
        "keraport",
        importlib.metadata.version("keraport"),
    )
    assert "binary_tensor_data" in answer["extensions"]


@pytest.mark.parametrize("path", ["/v2/models/digits", "/v2/models/digits/versions/1"])
def test_model_metadata(rest, path):
    status, answer = rest.get(path)
    assert status == 200
    assert answer == {
        "name": "digits",
        "versions": ["1"],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "image", "datatype": "UINT8", "shape": [-1, 28, 28, 1]}],
        "outputs": [
            {"name": "logits", "datatype": "FP32", "shape": [-1, 10]},
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, 10]},
        ],
    }


def test_model_config_in_tritons_form(rest):
    status, answer = rest.get("/v2/models/digits/config")
    assert (status, answer["name"], answer["max_batch_size"]) == (200, "digits", 64)
    [image] = answer["input"]
    assert (image["name"], image["data_type"], image["dims"]) == ("image", "TYPE_UINT8", [28, 28, 1])
    assert json.loads(answer["parameters"]["labels"]["string_value"]) == list("abcdefghij")


def test_statistics_are_numbers(rest):
    tensor = {"name": "x", "datatype": "INT8", "shape": [3, 2], "data": [0] * 6}
    assert rest.post("/v2/models/INT8/infer", {"inputs": [tensor]})[0] == 200
    status, answer = rest.get("/v2/models/INT8/versions/1/stats")
    [stats] = answer["model_stats"]
    assert (status, stats["name"], stats["version"]) == (200, "INT8", "1")
    assert stats["inference_count"] >= 3
    assert stats["inference_stats"]["success"]["count"] >= 1
    assert any(each["batch_size"] == 3 for each in stats["batch_stats"])
    assert len(rest.get("/v2/models/stats")[1]["model_stats"]) == len(rest.bench.engine.models)
    assert rest.get("/v2/models/digits/versions/9/stats")[0] == 404


def test_repository_index(rest):
    status, answer = rest.post("/v2/repository/index", b"")
    assert status == 200
    assert {"name": "broken", "version": "1", "state": "UNAVAILABLE", "reason": "damaged"} in answer
    _, ready = rest.post("/v2/repository/index", {"ready": True})
    assert [each for each in answer if each["name"] != "broken"] == ready
    assert rest.post("/v2/repository/index", {"ready": 1})[0] == 400


def test_repository_control(rest):
    assert rest.post("/v2/repository/models/digits/load", {})[0] == 200
    unload = {"parameters": {"unload_dependents": False}}
    assert rest.post("/v2/repository/models/digits/unload", unload)[0] == 200
    assert rest.bench.controlled[-2:] == [("load", "digits"), ("unload", "digits")]
    assert rest.post("/v2/repository/models/letters/load", b"")[0] == 404
    status, answer = rest.post("/v2/repository/models/broken/load", b"")
    assert (status, answer["error"]) == (400, "version 1 of broken is damaged: publish it again")
    status, answer = rest.post("/v2/repository/models/digits/load", {"parameters": {"config": "{}"}})
    assert status == 400
    assert "config" in answer["error"]


@pytest.mark.parametrize(
    "path", ["/v2/models/../../etc/passwd", "/v2/models/a%2Fb", "/v3", "/v2/", "/%00", "/v2/models//infer"]
)
def test_there_is_nothing_else(rest, path):
    status, answer = rest.get(path)
    assert status == 404
    assert answer["error"]


def test_another_method_is_refused(rest):
    status, headers, body = rest.ask("PUT", "/v2/models/digits/infer", b"{}")
    assert (status, headers["Allow"]) == (405, "POST")
    assert "/docs" in json.loads(body)["error"]


def test_tokens(rest_of, tmp_path):
    tmp_path.joinpath("tokens").write_text("infer the-shop-s-token\nadmin the-operator-s-token\n")
    shop, operator = ({"Authorization": f"Bearer the-{name}-s-token"} for name in ("shop", "operator"))
    load = "/v2/repository/models/digits/load"
    with rest_of(tokens=Tokens(tmp_path / "tokens")) as rest:
        for path in ("/", "/docs", "/openapi.json", "/v2/health/live", "/v2/health/ready"):
            assert rest.ask("GET", path)[0] == 200
        for method, path in (("GET", "/v2"), ("GET", "/v2/models/digits"), ("POST", "/v2/repository/index")):
            status, headers, _ = rest.ask(method, path)
            assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
            assert rest.ask(method, path, headers=shop)[0] == 200
        status, _, body = rest.ask("POST", load, b"", shop)
        assert status == 403
        assert "lacks the scope" in json.loads(body)["error"]
        assert rest.bench.controlled == []
        assert rest.ask("POST", load, b"", operator)[0] == 200


class _Page(HTMLParser):
    """What a page holds that a browser would fetch or follow."""

    def __init__(self):
        super().__init__()
        self.tags, self.links, self.anchors = set(), set(), set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("href", "src"):
                self.links.add(value)
            if name == "id":
                self.anchors.add(value)


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_need_nothing_from_elsewhere(rest, path):
    status, headers, body = rest.ask("GET", path)
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    page = _Page()
    page.feed(body.decode())
    assert page.tags.isdisjoint({"script", "link", "img", "iframe"})
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.anchors
        else:
            assert rest.ask("GET", link)[0] == 200


def test_openapi_describes_every_path(rest):
    status, document = rest.get("/openapi.json")
    assert (status, document["openapi"]) == (200, "3.1.0")
    infer = document["paths"]["/v2/models/{model}/infer"]["post"]
    assert set(infer["requestBody"]["content"]) == {"application/json", "application/octet-stream"}
    assert {"400", "404", "413", "429", "503", "504"} <= set(infer["responses"])
    identifiers = [each["operationId"] for methods in document["paths"].values() for each in methods.values()]
    assert len(identifiers) == len(set(identifiers)) == 17
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references <= set(document["components"]["schemas"])
    for path, methods in document["paths"].items():
        for method in methods:
            filled = path.replace("{model}", "digits").replace("{version}", "1")
            assert rest.ask(method.upper(), filled, b"" if method == "post" else None)[0] in (200, 400)


def test_draining(rest_of):
    with rest_of() as rest:
        rest.call(lambda: setattr(rest.bench.engine, "draining", True))
        assert rest.get("/v2/health/live") == (503, {"live": False})
        assert rest.get("/v2/health/ready")[0] == 503
        assert rest.get("/v2/models/digits/ready")[0] == 503
        status, headers, body = rest.ask("POST", "/v2/models/digits/infer", b"{}")
        assert (status, headers["Retry-After"], headers["Connection"]) == (503, "1", "close")
        assert "stopping" in json.loads(body)["error"]
