"""NVIDIA's client over HTTP works unchanged: blocking and of asyncio, JSON and binary, compressed or not."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
INTERPRETER = HERE.parents[1] / ".venv-interop" / "bin" / "python"


@pytest.fixture(scope="module")
def conversation(publish_classifier, start_server, tmp_path_factory):
    """What was sent, what came back, and what the server said of itself to each client."""
    folder = tmp_path_factory.mktemp("triton")
    publish_classifier(folder / "models")
    server = start_server(folder / "models", "--repository-control")
    address = server.http_url.removeprefix("http://")
    images = np.random.default_rng(2).integers(0, 256, (7, 28, 28, 1)).astype(np.uint8)
    np.save(folder / "images.npy", images)
    result = subprocess.run(
        [
            INTERPRETER,
            HERE / "triton_http_client.py",
            address,
            "images.npy",
            "outputs.npz",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return images, dict(np.load(folder / "outputs.npz")), json.loads(result.stdout)


def test_answers(conversation, classifier):
    images, outputs, _ = conversation
    ways = {name.rsplit(" ", 1)[0] for name in outputs}
    travelled = {"binary", "json", "mixed", "gzip", "deflate"}
    assert ways == {f"{kind} {way}" for kind in ("blocking", "waiting") for way in travelled} | {
        "blocking later"
    }
    expected = classifier.expected(images)
    for name, array in outputs.items():
        assert array.dtype == np.float32
        np.testing.assert_allclose(array, expected[name.rsplit(" ", 1)[1]], atol=1e-4)


def test_both_clients_hear_the_same(conversation):
    *_, (blocking, waiting) = conversation
    for name in blocking.keys() - {"statistics", "model_statistics"}:
        assert blocking[name] == waiting[name]


def test_classes(conversation, classifier):
    images, _, (said, _) = conversation
    order = np.argsort(-classifier.expected(images)["probabilities"], axis=1)[:, :2]
    assert [[each.split(":")[1:] for each in row] for row in said["classes"]] == [
        [[str(index), "abcdefghij"[index]] for index in row] for row in order
    ]


def test_metadata_config_and_statistics(conversation):
    *_, (said, _) = conversation
    assert (said["live"], said["ready"], said["model_ready"], said["not_ready"]) == (True, True, True, False)
    assert said["server"]["name"] == "keraport"
    assert said["metadata"]["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, 28, 28, 1]}]
    assert (said["config"]["name"], said["config"]["max_batch_size"]) == ("digits", 64)
    [counted] = said["model_statistics"]["model_stats"]
    assert (counted["name"], counted["version"]) == ("digits", "1")


def test_repository(conversation):
    *_, (said, _) = conversation
    assert said["index"] == [{"name": "digits", "version": "1", "state": "READY", "reason": ""}]
    assert said["load"] == []
    for name in ("reload_of_none", "not_found"):
        status, message = said[name]
        assert status in ("400", "404")
        assert "letters" in message
