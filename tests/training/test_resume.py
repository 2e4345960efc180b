"""Runs that were cut short, and how they go on."""

import errno
import fcntl
import os
import resource
import shutil
from functools import partial

import numpy as np
import pytest

import keraport as root
from training.datasets import DataOptions, load_dataset
from training.errors import RecordError, TrainingError
from training.fit import train
from training.journal import reopen
from training.plan import Plan, plan_to_resume
from training.recipes import RECIPES, change_settings
from training.record import Epoch, Status, read_record
from training.stopping import has_stopped

# No accuracy rises by 1 after the first epoch, so that a run of this recipe stops after its fifth.
STOPPING = change_settings(
    RECIPES["notebook"], ["epochs=9", "stop_delta=1", "stop_patience=4", "stratified=true"]
)


class Cut:
    """A listener that does something after an epoch."""

    def __init__(self, epoch=0, act=None):
        self._epoch, self._act = epoch, act

    def say(self, text): ...

    def step(self, epoch, step, steps): ...

    def epoch(self, epoch, *, best):  # noqa: ARG002
        if epoch.epoch == self._epoch:
            self._act()


def stop():
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    labels = np.arange(90) % 3
    images = np.random.default_rng(0).integers(0, 256, (90, 12, 12)).astype(np.uint8)
    path = tmp_path_factory.mktemp("data") / "noise.npz"
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
    return load_dataset(str(path))


def begin(data, out, epoch, act=stop):
    """Train into a folder until something happens after an epoch."""
    plan = Plan(recipe=STOPPING, options=DataOptions(), out=out, seed=0)
    return train(plan, data, Cut(epoch, act))


@pytest.fixture(scope="module")
def cut(data, tmp_path_factory):
    """A run that was interrupted after its second epoch."""
    out = tmp_path_factory.mktemp("cut") / "run"
    with pytest.raises(KeyboardInterrupt):
        begin(data, out, 2)
    return out


@pytest.fixture
def run(cut, tmp_path):
    return shutil.copytree(cut, tmp_path / "run")


def resume(out, data):
    return train(plan_to_resume(out)[0], data, Cut())


def test_a_resumed_run_stops_after_as_many_epochs_as_one_that_was_not_cut(data, run, tmp_path):
    whole = begin(data, tmp_path / "whole", 0)
    assert resume(run, data).history[-1].epoch == whole.history[-1].epoch == 5


def test_a_run_that_had_stopped_is_only_measured(data, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        begin(data, tmp_path / "run", 5)
    before = read_record(tmp_path / "run")
    after = resume(tmp_path / "run", data)
    assert (after.status, after.history) == (Status.COMPLETE, before.history)


@pytest.mark.parametrize(
    ("losses", "delta", "stopped"),
    [
        ([3.0, 2.0, 1.0], 0.0, False),
        ([3.0, 3.0], 0.0, False),
        ([3.0, 3.0, 3.0], 0.0, True),
        ([3.0, 2.5, 2.2, 1.0], 1.0, True),
        ([3.0, 2.5, 1.9, 1.5], 1.0, False),
    ],
)
def test_two_epochs_without_a_lower_loss_stop_a_regression(losses, delta, stopped):
    recipe = change_settings(STOPPING, ["stop_patience=2", f"stop_delta={delta}"])
    history = [
        Epoch(epoch=n, loss=0, accuracy=None, validation_loss=loss, validation_accuracy=None, seconds=1)
        for n, loss in enumerate(losses, start=1)
    ]
    assert has_stopped(history, recipe) is stopped
    assert not has_stopped(history, change_settings(recipe, ["stop_patience=0"]))


def test_the_time_is_recorded_with_each_epoch(data, tmp_path):
    seen = []
    begin(data, tmp_path / "run", 1, lambda: seen.append(read_record(tmp_path / "run").wall_seconds))
    assert 0 < seen[0] <= read_record(tmp_path / "run").wall_seconds


def test_a_run_that_is_being_trained_is_not_resumed(data, run):
    descriptor = os.open(run, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(RecordError, match="by another process: wait"):
        resume(run, data)
    os.close(descriptor)
    assert read_record(run).status is Status.INTERRUPTED


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_bytes(b"other")])
def test_a_checkpoint_that_is_not_the_runs_is_refused(run, change):
    change(run / "best.keras")
    with pytest.raises(RecordError, match=r"best.keras of .* is missing, or is not what was saved"):
        reopen(run)


def test_a_damaged_state_is_refused(data, run):
    state = run / ".state-2.weights.h5"
    os.truncate(state, state.stat().st_size // 2)
    with pytest.raises(RecordError, match="holds a damaged state of epoch 2"):
        resume(run, data)


def test_what_the_run_was_not_begun_with_is_refused(keraport, run):
    options = ("--epochs", 3, "--seed", 0, "--set", "shift=1", "--out", "x", "--json", "--tensorboard")
    result = keraport("train", "--resume", run, *options)
    assert result.returncode == 2
    assert "as it was begun: leave out --set, --out, --seed, --epochs\n" in result.stderr


def test_a_disk_that_fails_is_the_error_that_is_shown(data, tmp_path):
    with pytest.raises(TrainingError, match=r"cannot write to .*--resume"):
        begin(data, tmp_path / "run", 1, partial(shutil.rmtree, tmp_path / "run"))


def test_a_disk_that_is_full_from_the_start_leaves_no_folder(data, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(RecordError, match="File too large"):
            begin(data, tmp_path / "run", 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("number", "hint"), [(errno.ENOSPC, "free some space"), (errno.EIO, "error: Input/output error\n")]
)
def test_a_failed_write_without_a_name_is_no_surprise(monkeypatch, capsys, number, hint):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(root, "app", fail)
    assert root._run([], debug=False) == 2
    assert hint in capsys.readouterr().err
