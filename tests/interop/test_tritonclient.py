"""NVIDIA's client works unchanged: it cannot tell keraport from Triton."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
INTERPRETER = HERE.parents[1] / ".venv-interop" / "bin" / "python"


@pytest.fixture(scope="module")
def conversation(digits_server, tmp_path_factory):
    """What was sent, what came back, and what the server said of itself."""
    folder = tmp_path_factory.mktemp("triton")
    images = np.random.default_rng(2).integers(0, 256, (7, 28, 28, 1)).astype(np.uint8)
    np.save(folder / "images.npy", images)
    result = subprocess.run(
        [INTERPRETER, HERE / "triton_client.py", digits_server.url, "images.npy", "outputs.npz"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return images, dict(np.load(folder / "outputs.npz")), json.loads(result.stdout)


def test_answers(conversation, classifier):
    images, outputs, said = conversation
    assert said["id"] == "7"
    assert list(outputs) == ["logits", "probabilities"]
    for name, values in classifier.expected(images).items():
        assert outputs[name].dtype == np.float32
        np.testing.assert_allclose(outputs[name], values, atol=1e-4)


def test_readiness_and_index(conversation):
    *_, said = conversation
    assert (said["live"], said["ready"], said["model_ready"]) == (True, True, True)
    assert said["index"] == {"models": [{"name": "digits", "version": "1", "state": "READY"}]}
    assert said["refusals"] == [["StatusCode.NOT_FOUND", "no model 'letters' is loaded, but: digits"]] * 2


def test_metadata_and_config(conversation):
    *_, said = conversation
    assert said["server"]["name"] == "keraport"
    assert said["metadata"]["inputs"] == [
        {"name": "image", "datatype": "UINT8", "shape": ["-1", "28", "28", "1"]}
    ]
    config = said["config"]["config"]
    assert (config["name"], config["max_batch_size"]) == ("digits", 64)
    assert config["input"] == [{"name": "image", "data_type": "TYPE_UINT8", "dims": ["28", "28", "1"]}]
    assert json.loads(config["parameters"]["labels"]["string_value"]) == list("abcdefghij")
