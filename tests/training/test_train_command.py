"""`keraport train` as its users run it."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from training.record import Status, read_record


@pytest.fixture
def tiny(tmp_path):
    """Three classes of striped pictures, easily told apart."""
    generator = np.random.default_rng(0)

    def split(count):
        labels = np.arange(count) % 3
        images = generator.integers(0, 60, (count, 12, 12), np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[label * 4 : label * 4 + 4] += 150
        return images, labels

    (x_train, y_train), (x_test, y_test) = split(300), split(90)
    np.savez(tmp_path / "tiny.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return tmp_path / "tiny.npz"


def test_own_pictures_train_and_the_record_is_printed(keraport, tiny, tmp_path):
    result = keraport("train", "--data", tiny, "--epochs", 3, "--out", tmp_path / "run", "--json")
    assert result.returncode == 0, result.stderr
    printed = json.loads(result.stdout)
    assert printed == json.loads((tmp_path / "run" / "run.json").read_text())
    assert (printed["dataset"]["train"], printed["dataset"]["validation"], printed["dataset"]["test"]) == (
        270,
        30,
        90,
    )
    assert printed["labels"] == ["0", "1", "2"]
    assert len(printed["history"]) == 3
    assert "Total params" in result.stderr
    assert "epoch  3/3" in result.stderr


def test_the_best_epoch_is_the_one_with_the_best_validation_accuracy(keraport, tiny, tmp_path):
    keraport("train", "--data", tiny, "--epochs", 6, "--out", tmp_path / "run", "--json")
    record = read_record(tmp_path / "run")
    best = max(record.history, key=lambda epoch: (epoch.validation_accuracy, -epoch.validation_loss))
    assert record.best_epoch == best.epoch
    assert record.validation.accuracy == pytest.approx(best.validation_accuracy, abs=1e-6)


def test_an_old_run_is_never_overwritten(keraport, tiny, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine").write_text("keep")
    result = keraport("train", "--data", tiny, "--out", tmp_path / "run")
    assert result.returncode == 2
    assert "choose another --out" in result.stderr
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--recipe", "nope"], "choose one of notebook, default"),
        (["--data", "missing.npz"], "check the path"),
        (["--out", "/proc/nowhere/run"], "choose another --out"),
        (["--epochs", "0"], "--epochs"),
    ],
)
def test_bad_input_is_one_line_with_the_mend(keraport, tmp_path, arguments, message):
    result = keraport("train", *arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_the_best_and_marks_the_run(tiny, tmp_path, number):
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "keraport",
            "train",
            "--data",
            tiny,
            "--epochs",
            "5000",
            "--out",
            tmp_path / "run",
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if line.startswith("epoch"):
            break
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 130
    record = read_record(tmp_path / "run")
    assert record.status is Status.INTERRUPTED
    assert record.best_epoch >= 1
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "run.json",
        "best.keras",
        "history.csv",
        "curves.png",
    }
