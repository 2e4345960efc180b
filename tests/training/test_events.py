"""`keraport train --tensorboard`, read back by TensorBoard itself."""

import csv
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import TENSORS, EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from training.record import read_record

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def pictures(tmp_path):
    """Two classes of pictures, dark and light."""
    images = np.random.default_rng(0).integers(0, 90, (120, 12, 12)).astype(np.uint8)
    y = np.arange(120) % 2
    images += (y * 100).astype(np.uint8)[:, None, None]
    np.savez(tmp_path / "pictures.npz", x_train=images, y_train=y, x_test=images[:40] + 1, y_test=y[:40])
    return tmp_path / "pictures.npz"


def curves(folder):
    """Tag to (step, value) pairs of all event files in a folder."""
    events = EventAccumulator(str(folder), size_guidance={TENSORS: 0})
    events.Reload()
    return {
        tag: [(event.step, make_ndarray(event.tensor_proto).item()) for event in events.Tensors(tag)]
        for tag in events.Tags()["tensors"]
    }


def history(run, column):
    with (run / "history.csv").open() as rows:
        return [
            (int(row["epoch"]), pytest.approx(float(row[column]), rel=1e-6)) for row in csv.DictReader(rows)
        ]


def holds_the_history(run):
    training, validation = curves(run / "tensorboard" / "train"), curves(run / "tensorboard" / "validation")
    assert set(training) == {"loss", "accuracy", "learning_rate"}
    assert set(validation) == {"loss", "accuracy"}
    for tag in ("loss", "accuracy"):
        assert training[tag] == history(run, tag)
        assert validation[tag] == history(run, f"validation_{tag}")
    return training["learning_rate"]


def test_events_are_the_history_and_the_learning_rate(keraport, pictures, tmp_path):
    options = ("--data", pictures, "--epochs", 4, "--out", tmp_path / "run", "--tensorboard")
    result = keraport("train", *options)
    assert result.returncode == 0, result.stderr
    rates = holds_the_history(tmp_path / "run")
    # One step an epoch; 15 % of four steps is a warm-up of one, from a twentieth of the peak, then half a
    # cosine over three: its value after 0, 1 and 2 of them, down to a hundredth of the peak.
    cosine = [0.008 * (0.99 * (1 + np.cos(np.pi * step / 3)) / 2 + 0.01) for step in (0, 1, 2)]
    assert rates == [
        (1, pytest.approx(0.0004)),
        *((n, pytest.approx(rate)) for n, rate in enumerate(cosine, 2)),
    ]


@pytest.mark.slow
def test_a_resumed_run_holds_every_epoch_once(keraport, pictures, tmp_path):
    command = [sys.executable, "-m", "keraport", "train", "--data", pictures, "--out", tmp_path / "run"]
    options = ["--epochs", "6", "--tensorboard", "--set", "cosine_schedule=false"]
    process = subprocess.Popen([*command, *options], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if line.startswith("epoch  2/"):
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    result = keraport("train", "--resume", tmp_path / "run")
    assert result.returncode == 0, result.stderr
    assert holds_the_history(tmp_path / "run") == [(epoch, pytest.approx(0.008)) for epoch in range(1, 7)]


@pytest.mark.slow
def test_a_run_begun_without_events_may_go_on_with_them(keraport, interruptible, pictures, tmp_path):
    process = interruptible("train", "--data", pictures, "--epochs", 40, "--out", tmp_path / "run")
    for line in process.stderr:
        if line.startswith("epoch"):
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert not (tmp_path / "run" / "tensorboard").exists()
    result = keraport("train", "--resume", tmp_path / "run", "--tensorboard")
    assert result.returncode == 0, result.stderr
    assert len(holds_the_history(tmp_path / "run")) == len(read_record(tmp_path / "run").history) == 40


def test_without_tensorboard_the_error_says_what_to_install(pictures, tmp_path):
    absent = "import sys, keraport; sys.modules['tensorboard'] = None; keraport.main()"
    arguments = ["train", "--data", pictures, "--out", tmp_path / "run", "--tensorboard"]
    result = subprocess.run(
        [sys.executable, "-c", absent, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    (error,) = (line for line in result.stderr.splitlines() if not line.startswith("warning: "))
    assert error == "error: this command needs tensorboard: pip install 'keraport[tensorboard]'"
    assert not (tmp_path / "run").exists()
