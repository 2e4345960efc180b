"""`keraport export` and `keraport parity` as their users run them."""

import hashlib
import json
import shutil
import signal

import keras
import numpy as np
import pytest

from training.datasets import load_dataset


def answer(result):
    return json.loads(result.stdout)


def verdicts(artifacts):
    return {artifact["format"]: artifact["verdict"] for artifact in artifacts}


@pytest.fixture(scope="module")
def few_samples(tmp_path_factory):
    """The first 1,000 test images of MNIST, without training samples."""
    path = tmp_path_factory.mktemp("data") / "few.npz"
    test = load_dataset("mnist").test
    np.savez(path, x_test=test.inputs["x"][:1000], y_test=test.y[:1000])
    return path


@pytest.fixture(scope="module")
def own_model(tmp_path_factory):
    """A model of a user's own, on features of her own: the folder of `own.keras` and `own.npz`."""
    folder = tmp_path_factory.mktemp("own")
    generator = np.random.default_rng(0)
    centres = generator.normal(0, 4, (3, 8))
    labels = generator.integers(0, 3, 4000)
    samples = (centres[labels] + generator.normal(0, 1, (4000, 8))).astype(np.float32)
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8,), name="features"),
            keras.layers.Dense(16, "relu"),
            keras.layers.Dense(3, "softmax", name="species"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(samples, labels, epochs=3, verbose=0)
    model.save(folder / "own.keras")
    np.savez(
        folder / "own.npz",
        x_train=samples[:1000],
        y_train=labels[:1000],
        x_test=samples[1000:],
        y_test=labels[1000:],
    )
    return folder


@pytest.mark.usefixtures("published")
def test_parity_of_a_published_version_passes_again(keraport, workplace):
    result = keraport("parity", "--json", cwd=workplace)
    assert result.returncode == 0, result.stderr
    assert answer(result)["verdict"] == "pass"
    assert set(verdicts(answer(result)["artifacts"]).values()) == {"pass"}


def test_parity_with_another_model_fails(keraport, workplace, published, tmp_path):
    other = tmp_path / "other"
    trained = keraport(
        "train", "--recipe", "notebook", "--epochs", 1, "--out", other, "--data", small_mnist(tmp_path)
    )
    assert trained.returncode == 0, trained.stderr
    result = keraport("parity", published / "model.onnx", "--reference", other, "--json", cwd=workplace)
    assert result.returncode == 1
    assert "is over" in answer(result)["artifacts"][0]["reason"]


def small_mnist(folder):
    mnist = load_dataset("mnist")
    np.savez(
        folder / "small.npz",
        x_train=mnist.train.inputs["x"][:1000],
        y_train=mnist.train.y[:1000],
        x_test=mnist.test.inputs["x"][:100],
        y_test=mnist.test.y[:100],
    )
    return folder / "small.npz"


def test_too_few_samples_are_inconclusive_and_shipped(keraport, run_directory, few_samples, tmp_path):
    result = keraport("export", run_directory, "--data", few_samples, "--json", "--repository", tmp_path)
    assert result.returncode == 3, result.stderr
    outcome = answer(result)
    assert verdicts(outcome["artifacts"]) == {
        "saved_model": "pass",
        "onnx": "pass",
        "tflite": "pass",
        "tflite-fp16": "inconclusive",
        "tflite-dynamic": "inconclusive",
        "tflite-int8": "refused",
        "tflite-uint8": "refused",
    }
    version = tmp_path / "few" / "1"
    assert (version / "model.dynamic.tflite").exists()
    assert not (version / "model.int8.tflite").exists()


def test_a_required_format_that_is_refused_publishes_nothing(keraport, run_directory, few_samples, tmp_path):
    result = keraport(
        "export",
        run_directory,
        "--data",
        few_samples,
        "--formats",
        "tflite-int8",
        "--repository",
        tmp_path / "models",
    )
    assert result.returncode == 1
    assert "nothing published" in result.stdout
    assert "needs training samples" in result.stdout
    assert not (tmp_path / "models").exists()


def test_a_model_of_ones_own_keeps_its_names_and_threads(keraport, own_model, tmp_path):
    result = keraport(
        "export",
        own_model / "own.keras",
        *("--data", own_model / "own.npz"),
        *("--repository", tmp_path),
        *("--intra-op-threads", 2),
        "--json",
    )
    assert result.returncode == 0, result.stdout + result.stderr
    manifest = answer(result)["manifest"]
    assert (manifest["model"], manifest["inputs"][0]["name"]) == ("own", "features")
    assert [(tensor["name"], tensor["meaning"]) for tensor in manifest["outputs"]] == [
        ("species", "probabilities")
    ]
    assert set(verdicts(manifest["artifacts"]).values()) == {"pass"}
    sessions = {each["format"]: each["session"] for each in manifest["artifacts"] if each["session"]}
    assert {kind: session["intra_op_threads"] for kind, session in sessions.items()} == {"onnx": 2}


def test_the_same_checkpoint_gives_the_same_bytes_again(keraport, run_directory, published, tmp_path):
    result = keraport(
        "export", run_directory, "--formats", "onnx,tflite,tflite-int8", "--repository", tmp_path, "--json"
    )
    assert result.returncode == 0, result.stderr
    for name in ("model.onnx", "model.tflite", "model.int8.tflite"):
        assert (tmp_path / "mnist" / "1" / name).read_bytes() == (published / name).read_bytes(), name


def test_a_bare_checkpoint_needs_data(keraport, own_model):
    result = keraport("export", own_model / "own.keras")
    assert result.returncode == 2
    assert "add --data" in result.stderr


def test_data_that_do_not_fit_the_model_are_refused(keraport, own_model, tmp_path):
    result = keraport(
        "export", own_model / "own.keras", "--data", "mnist", "--repository", tmp_path / "models"
    )
    assert result.returncode == 2
    assert "takes float32 of shape (8,)" in result.stderr
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"\x89HDF\r\n"])
def test_a_file_that_is_no_model_is_one_line(keraport, tmp_path, content):
    (tmp_path / "bad.keras").write_bytes(content)
    result = keraport(
        "export", tmp_path / "bad.keras", "--data", "mnist", "--repository", tmp_path / "models"
    )
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "models").exists()


def test_code_in_a_model_file_is_not_run(keraport, own_model, tmp_path):
    model = keras.Sequential([keras.Input((8,)), keras.layers.Lambda(lambda x: x)])
    model.save(tmp_path / "lambda.keras")
    result = keraport(
        "export", tmp_path / "lambda.keras", "--data", own_model / "own.npz", "--repository", tmp_path / "m"
    )
    assert result.returncode == 2
    assert "holds a Lambda layer, whose code would have to be run" in result.stderr


def test_a_changed_checkpoint_is_noticed(keraport, run_directory, tmp_path):
    copy = tmp_path / "run"
    copy.mkdir()
    for path in run_directory.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    with (copy / "best.keras").open("ab") as stream:
        stream.write(b"\0")
    result = keraport("export", copy, "--repository", tmp_path / "models")
    assert result.returncode == 2
    assert "is not the checkpoint" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupt_leaves_no_half_version(interruptible, run_directory, tmp_path, number):
    process = interruptible("export", run_directory, "--repository", tmp_path / "models")
    for line in process.stderr:
        if "running onnx" in line:
            break
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert not (tmp_path / "models").exists()


def test_labels_beyond_the_models_classes_are_refused(keraport, run_directory, tmp_path):
    test = load_dataset("mnist").test
    np.savez(tmp_path / "doubled.npz", x_test=test.inputs["x"][:100], y_test=test.y[:100] * 2)
    result = keraport(
        "export", run_directory, "--data", tmp_path / "doubled.npz", "--repository", tmp_path / "models"
    )
    assert result.returncode == 2
    assert "are 0 to 18, the output tells 10 classes apart" in result.stderr
    assert not (tmp_path / "models").exists()


def test_float_targets_of_a_classifier_are_never_counted_as_classes(keraport, run_directory, tmp_path):
    test = load_dataset("mnist").test
    np.savez(tmp_path / "floats.npz", x_test=test.inputs["x"][:100], y_test=test.y[:100].astype(np.float32))
    result = keraport(
        "export", run_directory, "--data", tmp_path / "floats.npz", "--repository", tmp_path / "models"
    )
    assert result.returncode == 2
    assert "fit no single output" in result.stderr
    assert not (tmp_path / "models").exists()


@pytest.mark.usefixtures("published")
def test_parity_will_not_take_another_checkpoint_for_the_versions_own(
    keraport, workplace, run_directory, tmp_path
):
    shutil.copytree(workplace / "models", tmp_path / "models")
    shutil.copytree(run_directory, tmp_path / "runs" / run_directory.name)
    changed = tmp_path / "runs" / run_directory.name
    model = keras.models.load_model(changed / "best.keras", compile=False)
    model.set_weights([weight * 1.02 for weight in model.get_weights()])
    model.save(changed / "best.keras")
    record = json.loads((changed / "run.json").read_text())
    record["checkpoint_sha256"] = hashlib.sha256((changed / "best.keras").read_bytes()).hexdigest()
    (changed / "run.json").write_text(json.dumps(record))
    result = keraport("parity", cwd=tmp_path)
    assert result.returncode == 2
    assert "is not the checkpoint" in result.stderr
    result = keraport(
        "parity", "models/mnist/1/model.int8.tflite", "--reference", changed, "--json", cwd=tmp_path
    )
    assert result.returncode == 1
    assert "slope" in answer(result)["artifacts"][0]["reason"]


def test_a_single_onnx_file_is_checked_on_its_runs_data(keraport, published, run_directory, tmp_path):
    shutil.copy(published / "model.onnx", tmp_path / "digits.onnx")
    result = keraport("parity", tmp_path / "digits.onnx", "--reference", run_directory)
    assert result.returncode == 0, result.stderr


def test_what_a_killed_export_left_is_removed_by_the_next(keraport, own_model, tmp_path):
    (tmp_path / "models" / "own" / ".staging-dead").mkdir(parents=True)
    (tmp_path / "models" / "own" / ".staging-dead" / "model.onnx").write_bytes(b"half")
    result = keraport(
        "export",
        own_model / "own.keras",
        "--data",
        own_model / "own.npz",
        "--formats",
        "onnx",
        "--repository",
        tmp_path / "models",
    )
    assert result.returncode == 0, result.stderr
    assert [path.name for path in (tmp_path / "models" / "own").iterdir()] == ["1"]
