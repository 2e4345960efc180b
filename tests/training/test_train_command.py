"""`keraport train` as its users run it."""

import dataclasses
import hashlib
import json
import re
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from training.core import build_core
from training.datasets import load_dataset
from training.errors import RecipeError, RecordError
from training.journal import reopen
from training.recipes import RECIPES, change_settings
from training.record import Status, read_record


def save_tiny(folder):
    """Three classes of striped pictures, easily told apart, as an .npz file."""
    generator = np.random.default_rng(0)

    def split(count):
        labels = np.arange(count) % 3
        images = generator.integers(0, 60, (count, 12, 12), np.uint8)
        for image, label in zip(images, labels, strict=True):
            image[label * 4 : label * 4 + 4] += 150
        return images, labels

    (x_train, y_train), (x_test, y_test) = split(300), split(90)
    np.savez(folder / "tiny.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return folder / "tiny.npz"


@pytest.fixture
def tiny(tmp_path):
    return save_tiny(tmp_path)


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


def test_sorted_classes_are_not_held_out_whole(keraport, tiny, tmp_path):
    with np.load(tiny) as archive:
        content = dict(archive)
    order = np.argsort(content["y_train"], kind="stable")
    content |= {key: content[key][order] for key in ("x_train", "y_train")}
    np.savez(tiny, **content)
    options = ("--data", tiny, "--recipe", "notebook", "--epochs", 1, "--out", tmp_path / "run")
    refused = keraport("train", *options, "--set", "validation=0.4")
    assert refused.returncode == 2
    assert "are all there are of 2: shuffle the training samples, or --set stratified=true" in refused.stderr
    assert not (tmp_path / "run").exists()
    warned = keraport("train", *options)
    assert warned.returncode == 0
    assert "warning: no sample of 0, 1 is held out for validation" in warned.stderr


CHECKING = {
    "unlabelled data": {},
    "multi-label data": {"y": np.stack([np.arange(40) % 2, np.arange(40) % 3 == 0], axis=1)},
    "several outputs (a, b)": {"y/a": np.arange(40) % 2, "y/b": np.linspace(0, 1, 40)},
    "targets of shape (2, 3)": {"y": np.linspace(0, 1, 240).reshape(40, 2, 3)},
}


@pytest.mark.parametrize("what", CHECKING)
def test_what_serves_to_check_a_model_is_not_trained_on(keraport, tmp_path, what):
    arrays = {}
    for split in ("train", "test"):
        arrays[f"x_{split}"] = np.random.default_rng(0).integers(0, 256, (40, 12, 12)).astype(np.uint8)
        arrays |= {key.replace("y", f"y_{split}"): array for key, array in CHECKING[what].items()}
    np.savez(tmp_path / "data.npz", **arrays)
    result = keraport("train", "--data", "data.npz", cwd=tmp_path)
    assert result.returncode == 2
    (error,) = (line for line in result.stderr.splitlines() if not line.startswith("warning: "))
    assert f"{what} serve to check a model, not to train one: give y_train and y_test" in error
    assert [path.name for path in tmp_path.iterdir()] == ["data.npz"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_keeps_the_best_and_marks_the_run(interruptible, tiny, tmp_path, number):
    process = interruptible("train", "--data", tiny, "--epochs", 5000, "--out", tmp_path / "run")
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
        f".state-{len(record.history)}.weights.h5",
    }


def kill_in_epoch(tiny, out, epoch, delay, *options):
    """Begin a run of six epochs and kill it outright a moment after an epoch began."""
    process = subprocess.Popen(
        [sys.executable, "-m", "keraport", "train", "--data", tiny, "--epochs", "6", "--out", out, *options],
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if line.startswith(f"epoch {epoch:>2}/"):
            break
    time.sleep(delay)
    process.kill()
    process.communicate()


@pytest.mark.parametrize(("epoch", "delay"), [(1, 0.0), pytest.param(4, 0.03, marks=pytest.mark.slow)])
def test_a_killed_run_goes_on_to_the_same_number_of_epochs(keraport, tiny, tmp_path, epoch, delay):
    kill_in_epoch(tiny, tmp_path / "run", epoch, delay)
    before = read_record(tmp_path / "run")
    assert before.status is Status.RUNNING
    assert len(before.history) >= epoch
    result = keraport("train", "--resume", tmp_path / "run", "--json")
    assert result.returncode == 0, result.stderr
    record = read_record(tmp_path / "run")
    assert record.status is Status.COMPLETE
    assert [each.epoch for each in record.history] == [1, 2, 3, 4, 5, 6]
    assert record.history[: len(before.history)] == before.history
    assert (
        hashlib.sha256((tmp_path / "run" / "best.keras").read_bytes()).hexdigest() == record.checkpoint_sha256
    )
    assert record.test.accuracy > 0.9
    assert not list((tmp_path / "run").glob(".*"))


@pytest.mark.slow
def test_a_killed_run_stops_as_early_as_it_would_have(keraport, tiny, tmp_path):
    stopping = ("--epochs", "12", "--set", "stop_patience=5", "--set", "stop_delta=1")  # after the sixth
    kill_in_epoch(tiny, tmp_path / "run", 2, 0.0, *stopping)
    before = read_record(tmp_path / "run")
    assert before.wall_seconds > 0
    result = keraport("train", "--resume", tmp_path / "run")
    assert result.returncode == 0, result.stderr
    record = read_record(tmp_path / "run")
    assert len(record.history) == 6
    assert record.wall_seconds > before.wall_seconds


def test_resuming_from_any_moment_of_a_commit_settles_the_files(keraport, tiny, tmp_path):
    """The files as a kill leaves them between the steps of a commit: the record decides."""
    kill_in_epoch(tiny, tmp_path / "run", 2, 0.0)
    record = read_record(tmp_path / "run")
    done, best = len(record.history), record.best_epoch
    (tmp_path / "run" / "best.keras").rename(tmp_path / "run" / f".best-{best}.keras")
    (tmp_path / "run" / f".best-{done + 1}.keras").write_bytes(b"not counted")
    (tmp_path / "run" / f".state-{done + 1}.weights.h5").write_bytes(b"not counted")
    (tmp_path / "run" / f".state-{done + 1}.part.weights.h5").write_bytes(b"half")
    result = keraport("train", "--resume", tmp_path / "run")
    assert result.returncode == 0, result.stderr
    assert len(read_record(tmp_path / "run").history) == 6


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A run that was killed after its first epoch."""
    folder = tmp_path_factory.mktemp("killed")
    kill_in_epoch(save_tiny(folder), folder / "run", 1, 0.0)
    return folder / "run"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: (run / "run.json").unlink(), "cannot be read"),
        (lambda run: [path.unlink() for path in run.glob(".state*")], "has lost the state"),
        (lambda run: edit(run, status="complete"), "nothing to resume"),
    ],
)
def test_a_run_that_cannot_go_on_says_why(killed, tmp_path, change, message):
    shutil.copytree(killed, tmp_path / "run")
    change(tmp_path / "run")
    with pytest.raises(RecordError, match=message):
        reopen(tmp_path / "run")


def edit(run, **changes):
    content = json.loads((run / "run.json").read_text()) | changes
    (run / "run.json").write_text(json.dumps(content))


def test_changed_data_are_not_resumed_on(keraport, tiny, tmp_path):
    kill_in_epoch(tiny, tmp_path / "run", 1, 0.0)
    with np.load(tiny) as archive:
        content = dict(archive)
    content["x_train"][0] ^= 1
    np.savez(tiny, **content)
    result = keraport("train", "--resume", tmp_path / "run")
    assert result.returncode == 2
    assert "the data of" in result.stderr


def test_a_loss_that_is_no_number_stops_and_keeps_the_best(keraport, tiny, tmp_path):
    result = keraport(
        "train",
        "--data",
        tiny,
        "--set",
        "learning_rate=10",
        "--set",
        "warmup=0",
        "--epochs",
        50,
        "--architecture",
        f"{explosive(tmp_path)}:build",
        "--out",
        tmp_path / "run",
    )
    assert result.returncode == 2
    assert "lower the learning rate" in result.stderr
    assert read_record(tmp_path / "run").status is Status.INTERRUPTED


def explosive(folder):
    """An architecture whose outputs overflow once its weights have grown."""
    path = folder / "explosive.py"
    path.write_text(
        "import keras\n"
        "def build(input_shape, classes):\n"
        "    layers = keras.layers\n"
        "    return keras.Sequential([keras.Input(input_shape), layers.Flatten(), layers.Dense(8),\n"
        "        *[layers.Dense(8, use_bias=False) for _ in range(12)], layers.Dense(classes)])\n"
    )
    return path


def test_deterministic_runs_give_the_same_weights(keraport, tiny, tmp_path):
    weights = []
    for name in ("a", "b"):
        result = keraport("train", "--data", tiny, "--epochs", 2, "--deterministic", "--out", tmp_path / name)
        assert result.returncode == 0, result.stderr
        model = keras.models.load_model(tmp_path / name / "best.keras", compile=False)
        weights.append(np.concatenate([weight.ravel() for weight in model.get_weights()]))
    assert np.array_equal(*weights)
    assert read_record(tmp_path / "a").deterministic


ARCHITECTURE = """
import keras

def pictures(input_shape, classes):
    image = keras.Input(input_shape)
    features = keras.layers.Conv2D(8, 3, activation="relu")(image)
    features = keras.layers.GlobalAveragePooling2D()(features)
    return keras.Model(image, keras.layers.Dense(classes, name="scores")(features))

def values(input_shapes, outputs):
    left, right = (keras.Input(input_shapes[name], name=name) for name in ("left", "right"))
    joined = keras.layers.Concatenate()([left, right])
    return keras.Model([left, right], keras.layers.Dense(outputs)(joined))

def wrong(input_shape, classes):
    return keras.Sequential([keras.Input(input_shape), keras.layers.Flatten(),
                             keras.layers.Dense(classes + 1)])

def no_model(input_shape, classes):
    return 3

def failing(input_shape, classes):
    raise ValueError("not today\\nnor tomorrow")

def leaving(input_shape, classes):
    raise SystemExit

class Shifted(keras.layers.Layer):
    def build(self, shape):
        self.shift = self.add_weight(shape=(shape[-1],))
        super().build(shape)

    def call(self, tensor):
        return tensor + self.shift

class _Doubled(keras.layers.Layer):
    def call(self, tensor):
        return tensor * 2

def with_layers(input_shape, classes, *layers, activation=None):
    return keras.Sequential([keras.Input(input_shape), keras.layers.Flatten(), *layers,
                             keras.layers.Dense(classes, activation=activation)])

def shifted(input_shape, classes):
    print("building")
    return with_layers(input_shape, classes, Shifted(), keras.layers.Dense(8, activation="relu"))

def private_layer(input_shape, classes):
    return with_layers(input_shape, classes, _Doubled())

def with_lambda(input_shape, classes):
    return with_layers(input_shape, classes, keras.layers.Lambda(lambda tensor: 2 * tensor))

def nested(input_shape, classes):
    image = keras.Input(input_shape)
    return keras.Model(image, with_layers(input_shape, classes, activation="softmax")(image))

def softmax_of_ops(input_shape, classes):
    image = keras.Input(input_shape)
    return keras.Model(image, keras.ops.softmax(with_layers(input_shape, classes)(image)))
"""


@pytest.fixture
def architecture(tmp_path):
    (tmp_path / "mine.py").write_text(ARCHITECTURE)
    return tmp_path / "mine.py"


def test_an_architecture_of_ones_own_is_trained_and_served_on_raw_pixels(
    keraport, tiny, tmp_path, architecture
):
    result = keraport(
        "train",
        "--data",
        tiny,
        "--architecture",
        f"{architecture}:pictures",
        "--epochs",
        20,
        "--set",
        "batch_size=16",
        "--set",
        "average=0.9",
        "--set",
        "shift=0",
        "--out",
        tmp_path / "run",
    )
    assert result.returncode == 0, result.stderr
    record = read_record(tmp_path / "run")
    assert record.architecture_sha256 == hashlib.sha256(architecture.read_bytes()).hexdigest()
    assert (record.settings["batch_size"], record.settings["average"]) == (16, 0.9)
    model = keras.models.load_model(tmp_path / "run" / "best.keras", compile=False)
    assert [layer.name for layer in model.layers][:2] == ["image", "rescaling"]
    with np.load(tiny) as archive:
        scores = model.predict(archive["x_test"][..., None], verbose=0)
        labels = archive["y_test"]
    assert int((scores.argmax(1) == labels).sum()) == record.test.correct
    shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    assert record.test.loss == pytest.approx(-np.log(shares[np.arange(len(labels)), labels]).mean(), rel=1e-4)


def test_regression_on_several_inputs_reports_errors(keraport, tmp_path, architecture):
    generator = np.random.default_rng(0)
    content = {}
    for split, count in (("train", 400), ("test", 100)):
        left, right = generator.normal(size=(2, count, 3)).astype(np.float32)
        content |= {
            f"x_{split}/left": left,
            f"x_{split}/right": right,
            f"y_{split}": left.sum(1) - 2 * right.sum(1),
        }
    np.savez(tmp_path / "values.npz", **content)
    result = keraport(
        "train",
        "--data",
        tmp_path / "values.npz",
        "--architecture",
        f"{architecture}:values",
        "--set",
        "batch_size=8",
        "--set",
        "learning_rate=0.05",
        "--out",
        tmp_path / "run",
    )
    assert result.returncode == 0, result.stderr
    assert "test RMSE" in result.stdout
    record = read_record(tmp_path / "run")
    assert record.test.accuracy is None
    assert record.test.rmse < 0.5
    assert record.test.mae <= record.test.rmse
    best = min(record.history, key=lambda epoch: epoch.validation_loss)
    assert record.best_epoch == best.epoch


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mine.py:wrong", "return (batch, 3)"),
        ("mine.py:no_model", "returns no built Keras model"),
        ("mine.py:failing", "not today): mend it"),
        ("mine.py:leaving", "SystemExit"),
        ("mine.py:with_lambda", "has a Lambda layer"),
        ("mine.py:private_layer", "could not be loaded from its checkpoint"),
        ("mine.py:missing", "has no function 'missing'"),
        ("other.py:build", "cannot be read"),
    ],
)
def test_an_architecture_that_does_not_fit_is_refused(tiny, architecture, name, message):
    recipe = dataclasses.replace(RECIPES["default"], architecture=str(architecture.parent / name))
    with pytest.raises(RecipeError, match=re.escape(message)):
        build_core(recipe, load_dataset(str(tiny)))


@pytest.mark.parametrize(
    ("name", "logits"), [("nested", False), ("softmax_of_ops", False), ("pictures", True)]
)
def test_probabilities_are_told_from_logits_by_what_the_model_returns(tiny, architecture, name, logits):
    recipe = dataclasses.replace(RECIPES["default"], architecture=f"{architecture}:{name}")
    assert build_core(recipe, load_dataset(str(tiny))).logits is logits


def test_layers_of_ones_own_are_measured_and_their_file_is_found_from_any_folder(
    keraport, tiny, tmp_path, architecture
):
    options = ("--architecture", "mine.py:shifted", "--epochs", 2, "--out", "run", "--json")
    result = keraport("train", "--data", tiny, *options, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "building" in result.stderr
    assert json.loads(result.stdout)["settings"]["architecture"] == f"{architecture}:shifted"
    assert read_record(tmp_path / "run").test.accuracy is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("batchsize=3", "did you mean batch_size?"),
        ("epochs=many", "epochs takes a whole number"),
        ("epochs", "write name=value"),
        ("dropout=1.5", "must lie between"),
        ("name=x", "no setting 'name': choose from architecture"),
        ("stop_patience=-1", "must lie between"),
        ("stop_delta=nan", "must lie between"),
    ],
)
def test_a_bad_setting_says_what_is_wrong(change, message):
    with pytest.raises(RecipeError, match=re.escape(message)):
        change_settings(RECIPES["default"], [change])


def test_settings_take_the_types_of_their_fields():
    changed = change_settings(RECIPES["default"], ["epochs=3", "cosine_schedule=false", "shift=2"])
    assert (changed.epochs, changed.cosine_schedule, changed.shift) == (3, False, 2.0)
    assert changed.name == "default"
