"""Names in requests that would leave the repository, over the wire: a refusal, and no file is touched."""

import http.client
from urllib.parse import quote

import grpc
import pytest

from serving.proto.methods import METHODS

NAMES = [
    "../digits",
    "..",
    ".",
    "/etc",
    "digits/../digits",
    "digits/",
    "digits/1",
    "digits\\1",
    "digits\0",
    "\0",
    "..data",
    "%2e%2e%2fdigits",
    "~",
    "digits\n",
    "\N{FULLWIDTH FULL STOP}\N{FULLWIDTH FULL STOP}/digits",
    "d" * 129,
    "d" * 1_000_000,
]
VERSIONS = ["../1", "1/../1", "1\0", "01", "+1", " 1", "1.0", "\N{ARABIC-INDIC DIGIT ONE}", "-1", "9" * 5000]
REFUSALS = (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT)


@pytest.fixture(scope="module")
def server(tmp_path_factory, publish_classifier, start_server):
    """A server of `digits`, beside whose repository lies another."""
    folder = tmp_path_factory.mktemp("names")
    for repository in ("models", "digits"):
        publish_classifier(folder / repository)
    return start_server(folder / "models", "--repository-control")


@pytest.fixture(scope="module")
def channel(server):
    with grpc.insecure_channel(server.url) as channel:
        yield channel


def status_of(channel, name, request):
    method = METHODS[name]
    call = channel.unary_unary(method.path, method.request.SerializeToString, method.response.FromString)
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=30)
    assert len(caught.value.details()) < 1000
    return caught.value.code()


def fields_of(name):
    return METHODS[name].request.DESCRIPTOR.fields_by_name


@pytest.mark.parametrize(
    "method",
    [name for name in METHODS if {"name", "model_name"} & set(fields_of(name)) and "Stream" not in name],
)
def test_names_that_would_leave_the_repository_name_nothing(channel, method):
    field = "name" if "name" in fields_of(method) else "model_name"
    for name in NAMES:
        assert status_of(channel, method, METHODS[method].request(**{field: name})) in REFUSALS, name


@pytest.mark.parametrize(
    "method",
    [
        name
        for name in METHODS
        if {"version", "model_version"} & set(fields_of(name)) and "Stream" not in name
    ],
)
def test_versions_that_would_leave_the_model_name_nothing(channel, method):
    field = "version" if "version" in fields_of(method) else "model_version"
    for version in VERSIONS:
        model = {"name" if field == "version" else "model_name": "digits"}
        assert status_of(channel, method, METHODS[method].request(**model, **{field: version})) in REFUSALS


@pytest.mark.parametrize(
    "path", ["/v2/models/{}", "/v2/models/{}/ready", "/v2/models/{}/stats", "/v2/models/digits/versions/{}"]
)
@pytest.mark.parametrize(
    "name",
    ["..", "../digits", "..\\digits", "digits/../digits", "digits\0", "/etc", "\N{SNOWMAN}", "9" * 5000],
)
def test_nor_do_they_in_addresses(server, path, name):
    assert http_status(server, "GET", path.format(quote(name, safe=""))) in (400, 404)


@pytest.mark.parametrize("name", ["..", "../digits", "digits/../digits", "digits\0"])
def test_nor_are_they_loaded_by_address(server, name):
    for action in ("load", "unload"):
        path = f"/v2/repository/models/{quote(name, safe='')}/{action}"
        assert http_status(server, "POST", path) in (400, 404)


def http_status(server, method, path):
    connection = http.client.HTTPConnection(server.http_url.removeprefix("http://"), timeout=30)
    connection.request(method, path)
    response = connection.getresponse()
    assert len(response.read()) < 2000
    connection.close()
    return response.status


def test_afterwards_the_model_still_answers(channel):
    method = METHODS["ModelReady"]
    call = channel.unary_unary(method.path, method.request.SerializeToString, method.response.FromString)
    assert call(method.request(name="digits", version="1"), timeout=30).ready
