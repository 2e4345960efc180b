"""`keraport inspect`: what files hold, whether they are intact, and files that are not what they say."""

import json
import os
import shutil
import zipfile

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.errors import ExportError, SourceError
from export.inspecting.contents import Kind
from export.inspecting.inspection import State, inspect_target


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory):
    """A small functional model with two layers of weights: 3·4 + 4 and 4·2 + 2 numbers."""
    import keras

    rows = keras.Input((3,), name="rows")
    hidden = keras.layers.Dense(4, activation="relu", name="hidden")(rows)
    scores = keras.layers.Dense(2, name="scores")(hidden)
    path = tmp_path_factory.mktemp("keras") / "small.keras"
    keras.Model(rows, {"scores": scores}).save(path)
    return path


def only(target):
    inspection = inspect_target(target)
    (file,) = inspection.files
    return file


def test_an_onnx_file(tmp_path, classifier):
    path = tmp_path / "model.onnx"
    path.write_bytes(classifier.onnx())
    contents = only(path).contents
    assert contents.kind is Kind.ONNX
    assert [(each.name, each.dtype, each.shape) for each in contents.inputs] == [
        ("image", "uint8", ("n", 28, 28, 1))
    ]
    assert [each.name for each in contents.outputs] == ["logits", "probabilities"]
    operators = {each.name: (each.version, each.count) for each in contents.operators}
    # By ONNX's changelog: what opset 17 means by them. Add and Identity are in the loop's body, too.
    assert operators["Softmax"] == (13, 1)
    assert operators["Add"] == (14, 2)
    assert operators["Identity"] == (16, 1)
    assert operators["Gather"] == (13, 2)
    assert contents.weights == {"float32": 7840 + 255 + 10, "int64": 2}
    assert contents.weight_bytes == (7840 + 255 + 10) * 4 + 2 * 8
    assert contents.versions["opset"] == "17"
    assert contents.custom == ()


def test_an_onnx_file_with_metadata_weights_elsewhere_and_an_unknown_operator(tmp_path):
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Twirl", ["x", "w"], ["y"], domain="acme")],
        "g",
        [value("x", TensorProto.FLOAT, [None, 2])],
        [value("y", TensorProto.FLOAT, [None, 2])],
        [numpy_helper.from_array(np.ones((2, 2), np.float32), "w")],
    )
    weight = graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../../secret.bin")
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("acme", 1)]
    )
    model.metadata_props.add(key="author", value="someone")
    path = tmp_path / "odd.onnx"
    path.write_bytes(model.SerializeToString())
    contents = only(path).contents
    assert contents.custom == ("acme.Twirl",)
    assert contents.metadata == {"author": "someone"}
    assert contents.inputs[0].shape == (-1, 2)
    assert contents.notes == ("weights are in the file '../../secret.bin' beside it",)
    assert contents.weight_bytes == 16


def test_a_keras_file_layer_by_layer(keras_file):
    contents = only(keras_file).contents
    assert [(each.name, each.class_name, each.parameters) for each in contents.layers] == [
        ("rows", "InputLayer", 0),
        ("hidden", "Dense", 16),
        ("scores", "Dense", 10),
    ]
    assert contents.weights == {"float32": 26}
    assert contents.weight_bytes == 26 * 4
    assert [(each.name, each.dtype, each.shape) for each in contents.inputs] == [("rows", "float32", (-1, 3))]
    assert [each.name for each in contents.outputs] == ["scores"]
    assert contents.versions["Keras"].startswith("3.")
    assert contents.custom == ()


def test_code_that_a_keras_file_would_need_is_named_and_not_run(keras_file, tmp_path):
    path, witness = tmp_path / "evil.keras", tmp_path / "witness"
    with zipfile.ZipFile(keras_file) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "config.json":
                config = json.loads(content)
                config["config"]["layers"][1] |= {"module": "acme.layers", "class_name": "Swirl"}
                config["config"]["layers"][2]["class_name"] = "Lambda"
                config["config"]["layers"][2]["config"]["function"] = {
                    "class_name": "__lambda__",
                    "config": {"code": f"open({str(witness)!r}, 'w')"},
                }
                content = json.dumps(config).encode()
            target.writestr(name, content)
    contents = only(path).contents
    assert contents.custom == ("Lambda", "Swirl", "__lambda__")
    assert "does not run" in contents.notes[0]
    assert not witness.exists()


def test_tflite_files_of_a_version(published):
    files = {file.format: file for file in inspect_target(published).files}
    assert {file.state for file in files.values()} == {State.INTACT}
    whole = files["tflite-int8"].contents
    assert whole.float_tensors == 0
    assert (whole.inputs[0].dtype, whole.inputs[0].shape) == ("int8", (1, 28, 28, 1))
    assert (whole.inputs[0].scale, whole.inputs[0].zero_point) == (1.0, -128)
    assert {each.name for each in whole.outputs} == {"logits"}
    assert {each.name: each.count for each in whole.operators}["CONV_2D"] == 2
    assert all(each.version >= 1 for each in whole.operators)
    plain = files["tflite"].contents
    assert plain.float_tensors > 0
    assert {each.scale for each in (*plain.inputs, *plain.outputs)} == {None}
    assert plain.weights["float32"] == 34_826  # the checkpoint's parameters


def test_the_saved_model_and_the_onnx_file_of_a_version(published):
    files = {file.format: file for file in inspect_target(published).files}
    saved = files["saved_model"].contents
    assert [(each.name, each.dtype, each.shape) for each in saved.inputs] == [
        ("image", "uint8", (-1, 28, 28, 1))
    ]
    assert [each.name for each in saved.outputs] == ["logits", "probabilities"]
    assert {each.name: each.count for each in saved.operators}["Conv2D"] == 2
    assert saved.weights["float32"] % 34_826 == 0
    assert files["onnx"].contents.weights["float32"] >= 34_826


def test_a_version_is_shown_with_its_provenance(published, keraport):
    result = keraport("inspect", published.parent)
    assert (result.returncode, result.stderr) == (0, "")
    manifest = json.loads((published / "manifest.json").read_text())
    for text in (
        "mnist version 1",
        manifest["dataset"]["sha256"],
        manifest["source"]["run"],
        "CONV_2D v3",
    ):
        assert text in result.stdout
    document = json.loads(keraport("inspect", published, "--json").stdout)
    assert document["manifest"]["source"] == manifest["source"]
    assert [file["format"] for file in document["files"]] == [row["format"] for row in manifest["artifacts"]]
    assert {file["verdict"] for file in document["files"]} == {"pass"}


def test_a_single_artifact_is_shown_with_its_verdict(published, keraport):
    document = json.loads(keraport("inspect", published / "model.onnx", "--json").stdout)
    assert [(file["state"], file["verdict"]) for file in document["files"]] == [("intact", "pass")]


def test_a_run(run_directory, keraport):
    for target in (run_directory, run_directory / "best.keras"):
        document = json.loads(keraport("inspect", target, "--json").stdout)
        assert document["run"]["best_epoch"] == 1
        assert document["files"][0]["state"] == "intact"
        assert sum(layer["parameters"] for layer in document["files"][0]["contents"]["layers"]) == 34_826


def test_a_changed_a_missing_and_a_foreign_artifact(tmp_path, publish_classifier, keraport):
    changed = publish_classifier(tmp_path, "changed")
    (changed / "model.onnx").write_bytes((changed / "model.onnx").read_bytes() + b"\0")
    missing = publish_classifier(tmp_path, "missing")
    (missing / "model.onnx").unlink()
    unbound = publish_classifier(tmp_path, "unbound", binding=None)
    for folder, state in ((changed, "changed"), (missing, "missing"), (unbound, "unbound")):
        result = keraport("inspect", folder, "--json")
        assert (result.returncode, result.stderr) == (1, "")
        assert json.loads(result.stdout)["files"][0]["state"] == state
        assert state in keraport("inspect", folder).stdout


def test_a_version_that_ships_nothing_is_not_broken(tmp_path, publish_classifier):
    folder = publish_classifier(tmp_path, path=None, verdict="refused", sha256=None)
    inspection = inspect_target(folder)
    assert inspection.files[0].state is State.NOT_SHIPPED
    assert not inspection.broken


def test_what_is_no_target(tmp_path, keraport, publish_classifier):
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe.onnx")
    publish_classifier(tmp_path / "two", "a")
    publish_classifier(tmp_path / "two", "b")
    for name, message in (
        ("none", "does not exist"),
        ("notes.txt", "is no model file"),
        ("pipe.onnx", "is no model file"),
        ("empty", "holds no version and no run"),
        ("two", "holds several models"),
    ):
        result = keraport("inspect", tmp_path / name)
        assert (result.returncode, result.stdout) == (2, "")
        assert len(result.stderr.splitlines()) == 1
        assert message in result.stderr


@pytest.mark.parametrize("suffix", ["onnx", "tflite", "keras"])
@pytest.mark.parametrize(
    "content", [b"", b"\x80\x04cos\nsystem\n", b"\0\0\0\0TFL3" + b"\xff" * 60, b"PK\3\4" * 9]
)
def test_a_damaged_file_is_one_line(tmp_path, suffix, content):
    path = tmp_path / f"model.{suffix}"
    path.write_bytes(content)
    with pytest.raises(ExportError) as caught:
        inspect_target(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_truncation_is_one_line(tmp_path, published, keras_file):
    for source in (published / "model.int8.tflite", published / "model.onnx", keras_file):
        content = source.read_bytes()
        for share in (0.1, 0.5, 0.9):
            path = tmp_path / source.name
            path.write_bytes(content[: int(len(content) * share)])
            with pytest.raises(SourceError):
                inspect_target(path)


def test_a_damaged_saved_model(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "saved_model.pb").write_bytes(b"\xff" * 100)
    with pytest.raises(SourceError, match="is damaged"):
        inspect_target(tmp_path / "model")


def test_files_over_the_limit_are_not_opened(tmp_path):
    path = tmp_path / "huge.onnx"
    with path.open("wb") as stream:
        stream.truncate((2 << 30) + 1)  # a hole: no disk is used
    with pytest.raises(SourceError, match="over 2,147,483,648"):
        inspect_target(path)


def test_a_bomb_in_a_keras_file_is_not_unpacked(tmp_path, keras_file):
    path = tmp_path / "bomb.keras"
    shutil.copy(keras_file, path)
    with zipfile.ZipFile(path) as archive:
        config = archive.read("config.json")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", config + b" " * (65 * 1024 * 1024))
    assert path.stat().st_size < 200_000
    with pytest.raises(SourceError, match=r"config\.json unpacks to"):
        inspect_target(path)


def test_names_steer_no_terminal(tmp_path, keraport):
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["\x1b[2Jy\n[red]z"])],
        "g",
        [value("x", TensorProto.FLOAT, [1])],
        [value("\x1b[2Jy\n[red]z", TensorProto.FLOAT, [1])],
    )
    path = tmp_path / "names.onnx"
    onnx.save(helper.make_model(graph), path)
    result = keraport("inspect", path)
    assert result.returncode == 0
    assert "\x1b" not in result.stdout
    assert r"output \x1b[2Jy\n[red]z" in result.stdout
