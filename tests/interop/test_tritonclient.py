"""NVIDIA's clients work unchanged: they cannot tell keraport from Triton."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
INTERPRETER = HERE.parents[1] / ".venv-interop" / "bin" / "python"
KINDS = ("grpc", "grpc.aio", "http", "http.aio")


@pytest.fixture(scope="module")
def addresses(tmp_path_factory, publish_classifier, start_server):
    """Where a server of two models listens, by protocol."""
    repository = tmp_path_factory.mktemp("triton")
    for model in ("digits", "letters"):
        publish_classifier(repository, model)
    server = start_server(repository, "--repository-control", "--priority-levels=2", "--default-priority=2")
    return {"grpc": server.url, "http": server.http_url.removeprefix("http://")}


@pytest.fixture(scope="module", params=KINDS)
def conversation(request, addresses, tmp_path_factory):
    """What one of the clients sent, what came back, and what the server said of itself."""
    folder = tmp_path_factory.mktemp("conversation")
    images = np.random.default_rng(2).integers(0, 255, (7, 28, 28, 1)).astype(np.uint8)
    np.save(folder / "images.npy", images)
    address = addresses[request.param.partition(".")[0]]
    result = subprocess.run(
        [INTERPRETER, HERE / "triton_client.py", request.param, address, "images.npy", "outputs.npz"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return request.param, images, dict(np.load(folder / "outputs.npz")), json.loads(result.stdout)


def scores(texts):
    """Values and classes of Triton's `value:index:label`."""
    return [(float(value), int(index), label) for value, index, label in (text.split(":") for text in texts)]


def best(probabilities, count):
    """The same of a row of probabilities."""
    return [
        (pytest.approx(probabilities[index], abs=1e-4), index, "abcdefghij"[index])
        for index in np.argsort(-probabilities)[:count]
    ]


def test_answers(conversation, classifier):
    _, images, outputs, said = conversation
    assert said["id"] == "7"
    assert list(outputs) == ["logits", "probabilities"]
    expected = classifier.expected(images)
    for name, values in expected.items():
        assert outputs[name].dtype == np.float32
        np.testing.assert_allclose(outputs[name], values, rtol=1e-4, atol=1e-4)
    for row, probabilities in zip(said["top"], expected["probabilities"], strict=True):
        assert scores(row) == best(probabilities, 2)


def test_a_stream(conversation, classifier):
    kind, images, _, said = conversation
    if kind.startswith("http"):
        assert said["streamed"] == []  # HTTP has none
        return
    *answers, wrong = said["streamed"]
    probabilities = classifier.expected(images)["probabilities"]
    assert [request_id for request_id, _ in answers] == [str(position) for position in range(12)]
    for position, (_, text) in enumerate(answers):
        assert scores([text]) == best(probabilities[position % 7], 1)
    assert wrong[0] == "error"
    assert "no model 'letters?' is loaded" in wrong[1]


def test_readiness_index_and_statistics(conversation):
    *_, said = conversation
    assert (said["live"], said["ready"], said["model_ready"]) == (True, True, True)
    assert said["index"] == [["digits", "1", "READY"], ["letters", "1", "READY"]]
    assert said["counted"] == 14


def test_metadata_and_config(conversation):
    *_, said = conversation
    assert (said["server"], said["versions"]) == ("keraport", ["1"])
    assert said["inputs"] == [["image", "UINT8", [-1, 28, 28, 1]]]
    assert [output[0] for output in said["outputs"]] == ["logits", "probabilities"]
    assert said["config"] == ["digits", 64, "TYPE_UINT8"]
    assert json.loads(said["labels"]) == list("abcdefghij")


def test_refusals(conversation):
    kind, *_, said = conversation
    unknown, wrong_shape = said["refusals"]
    codes = ["StatusCode.NOT_FOUND", "StatusCode.INVALID_ARGUMENT"]
    assert [unknown[0], wrong_shape[0]] == (codes if kind.startswith("grpc") else ["404", "400"])
    assert "no model 'letters?' is loaded" in unknown[1]
    assert "expected [-1, 28, 28, 1]" in wrong_shape[1]


def test_repository_control(conversation):
    *_, said = conversation
    steering = said["steering"]
    assert "'letters'" in steering["gone"][1]
    assert steering["back"] is True
    assert "'nobody'" in steering["none"][1]
