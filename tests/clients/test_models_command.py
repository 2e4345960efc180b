"""`keraport models` against a real server."""

import json

import pytest

from clients import Client
from serving.proto import inference_pb2 as pb


@pytest.fixture(scope="module")
def server(tmp_path_factory, publish_classifier, start_server):
    """A server that lets clients load and unload models, and its repository."""
    repository = tmp_path_factory.mktemp("steered")
    publish_classifier(repository)
    server = start_server(repository, "--repository-control")
    return server, repository


@pytest.fixture
def models(keraport, server):
    def models(command, *arguments):
        return keraport("models", command, *arguments, "--url", server[0].url, timeout=60)

    return models


def lines_of(result):
    assert (result.returncode, result.stderr) == (0, "")
    return [line.split() for line in result.stdout.splitlines()]


def test_list_load_unload(models, server, publish_classifier):
    _, repository = server
    assert lines_of(models("list")) == [["model", "version", "state", "reason"], ["digits", "1", "READY"]]
    publish_classifier(repository, "letters")
    assert ["letters", "1", "READY"] in lines_of(models("load", "letters"))
    document = json.loads(models("list", "--json").stdout)
    states = {(entry["name"], entry["version"]): entry["state"] for entry in document["models"]}
    assert states == {("digits", "1"): "READY", ("letters", "1"): "READY"}
    _, entry = lines_of(models("unload", "letters"))
    assert (entry[0], entry[2]) == ("letters", "UNAVAILABLE")


def test_a_version_that_is_refused(models, server, publish_classifier):
    _, repository = server
    folder = publish_classifier(repository, "broken")
    (folder / "model.onnx").write_bytes(b"broken")
    result = models("load", "broken")
    assert (result.returncode, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert "SHA-256" in result.stderr
    (entry,) = [
        each for each in json.loads(models("list", "--json").stdout)["models"] if each["name"] == "broken"
    ]
    assert entry["state"] == "UNAVAILABLE"
    assert "SHA-256" in entry["reason"]


def test_a_model_that_is_none(models):
    for command in ("load", "unload"):
        result = models(command, "../digits")
        assert (result.returncode, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
        assert "'../digits'" in result.stderr


def test_stats(models, server, images):
    with Client(server[0].url) as client:
        before = {(each.name, each.version): each for each in client.statistics("digits")}
        client.infer("digits", {"image": images})
    (digits,) = json.loads(models("stats", "digits", "--json").stdout)["models"]
    known = before.get(("digits", "1"))
    assert digits["rows"] == (known.rows if known else 0) + 5
    assert digits["success"]["count"] == (known.success.count if known else 0) + 1
    assert digits["compute_infer"]["seconds"] > 0
    assert {batch["rows"] for batch in digits["batches"]} >= {5}
    header, row = [line for line in lines_of(models("stats")) if line[0] in ("model", "digits")]
    assert header[:6] == ["model", "version", "answered", "failed", "rows", "runs"]
    assert row[:2] == ["digits", "1"]


def test_a_server_that_lets_nobody_steer(keraport, digits_server):
    for command in ("load", "unload"):
        result = keraport("models", command, "digits", "--url", digits_server.url)
        assert (result.returncode, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
        assert "--repository-control" in result.stderr


def test_nobody_there(keraport):
    result = keraport("models", "list", "--url", "127.0.0.1:1")
    assert (result.returncode, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)
    assert "start one with `keraport serve`" in result.stderr


def test_names_that_steer_a_terminal(keraport, foreign):
    index = pb.RepositoryIndexResponse.ModelIndex(name="a\x1b[2J", version="1", state="[red]", reason="b\nc")
    foreign.answers["RepositoryIndex"] = lambda *_: pb.RepositoryIndexResponse(models=[index])
    result = keraport("models", "list", "--url", foreign.url)
    assert lines_of(result)[1] == [r"a\x1b[2J", "1", "[red]", r"b\nc"]


def test_the_statistics_of_a_server_that_counts_nothing(keraport, foreign):
    foreign.answers["ModelStatistics"] = lambda *_: pb.ModelStatisticsResponse(
        model_stats=[pb.ModelStatistics(name="m", version="1")]
    )
    row = lines_of(keraport("models", "stats", "--url", foreign.url))[1]
    assert row == ["m", "1", "0", "0", "0", "0", "0.0", *["0.000"] * 3]
