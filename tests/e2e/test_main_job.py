"""The main job from end to end: train, export, serve, predict, stop; real data, real processes."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from clients import Client
from training.datasets import load_dataset

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.usefixtures("published")
def test_what_is_served_is_what_was_trained(start_server, workplace, run_directory, keraport):
    server = start_server(workplace / "models")
    mnist = load_dataset("mnist")
    with Client(server.url) as client:
        answers = [
            client.infer("mnist", {"image": mnist.test.inputs["x"][start : start + 50]})
            for start in range(0, 10_000, 50)
        ]
    predicted = np.concatenate([answer.outputs["logits"].argmax(axis=1) for answer in answers])
    trained = json.loads((run_directory / "run.json").read_text())
    assert int((predicted == mnist.test.y).sum()) == trained["test"]["correct"]

    samples = sorted((ROOT / "data" / "samples").glob("*.png"))
    result = keraport("predict", *samples, "--url", server.url, "--json")
    assert result.returncode == 0, result.stderr
    right = [row["label"] == Path(row["file"]).name[0] for row in json.loads(result.stdout)["predictions"]]
    assert len(right) == len(samples) >= 5
    assert sum(right) >= len(right) - 1  # after a single epoch

    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=30) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(server.process.pid, 0)


def test_a_served_file_that_was_changed_is_refused(keraport, workplace, published, tmp_path):
    copy = tmp_path / "models" / "mnist" / "1"
    copy.mkdir(parents=True)
    for path in published.glob("m*"):
        (copy / path.name).write_bytes(path.read_bytes())
    content = bytearray((copy / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (copy / "model.onnx").write_bytes(content)
    result = keraport("serve", "--repository", tmp_path / "models", "--port", 0, cwd=workplace, timeout=60)
    assert result.returncode == 2
    assert "was changed after it was published" in result.stderr
