"""Which versions are served, and which are refused with what reason."""

import json
import logging

import numpy as np
import onnx
import pytest

from export.formats import Tier
from export.manifest import MANIFEST_NAME, Binding, content_sha256
from export.sessions import SessionSettings
from export.verdict import Comparison, Verdict
from serving import session as session_module
from serving.errors import ModelRefused, RepositoryError
from serving.repository.loading import load_repository, load_version


def versions(sessions):
    return {name: session.version for name, session in sessions.items()}


def edit_manifest(folder, **changes):
    path = folder / MANIFEST_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


async def test_a_loaded_version_answers(tmp_path, publish_classifier, classifier, images):
    session = load_version(publish_classifier(tmp_path), max_rows=8)
    answer = await session.run({"image": images})
    assert list(answer) == ["logits", "probabilities"]
    np.testing.assert_allclose(answer["logits"], classifier.expected(images)["logits"], atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"intra_op_threads": 257}, "intra_op_threads must be 1 to 256"),
        ({"intra_op_threads": 10**30}, "is no manifest"),
        ({"intra_op_threads": 0}, "intra_op_threads must be 1 to 256"),
        ({"graph_optimization": "most"}, "graph_optimization must be one of"),
        ({"providers": []}, "providers must name at least one"),
        ({"providers": ["CPUExecutionProvider"] * 2}, "each once"),
        (
            {"providers": ["MoonExecutionProvider"]},
            "is to run on MoonExecutionProvider, this onnxruntime has",
        ),
    ],
)
def test_session_settings_out_of_bounds_are_refused(tmp_path, publish_classifier, settings, message):
    folder = publish_classifier(tmp_path)
    artifact = json.loads((folder / MANIFEST_NAME).read_text())["artifacts"][0]
    artifact["session"] |= settings
    edit_manifest(folder, artifacts=[artifact])
    with pytest.raises(ModelRefused, match=message):
        load_version(folder, max_rows=8)


def test_the_newest_version_of_every_model_is_served(tmp_path, publish_classifier):
    for version in (2, 10, 9):
        publish_classifier(tmp_path, "digits", version)
    publish_classifier(tmp_path, "letters", 1)
    assert versions(load_repository(tmp_path, max_rows=8)) == {"digits": "10", "letters": "1"}
    assert versions(load_repository(tmp_path, model="letters", max_rows=8)) == {"letters": "1"}


def test_what_is_no_version_is_passed_over(tmp_path, publish_classifier):
    publish_classifier(tmp_path, "digits", 1)
    for name in (".staging-x", "0", "007", "2.old", "notes"):
        (tmp_path / "digits" / name).mkdir()
    (tmp_path / ".hidden" / "1").mkdir(parents=True)
    (tmp_path / "with space" / "1").mkdir(parents=True)
    (tmp_path / "README").write_text("")
    assert versions(load_repository(tmp_path, max_rows=8)) == {"digits": "1"}


def test_a_refused_version_is_named_and_the_one_before_is_served(tmp_path, publish_classifier, caplog):
    publish_classifier(tmp_path, "digits", 1)
    publish_classifier(tmp_path, "digits", 2, verdict=Verdict.INCONCLUSIVE, reason="too few samples")
    with caplog.at_level(logging.WARNING):
        assert versions(load_repository(tmp_path, max_rows=8)) == {"digits": "1"}
    assert caplog.messages == [
        "digits version 2 is not served: its verdict is inconclusive (too few samples): "
        "export it again, or serve it with --allow-unverified"
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"verdict": Verdict.FAIL}, "its verdict is fail"),
        ({"verdict": Verdict.REFUSED}, "its verdict is refused"),
        ({"binding": None}, "speaks of another file"),
        (
            {"binding": Binding(artifact_sha256="1" * 64, reference_sha256="", data_sha256="")},
            "speaks of another file",
        ),
        ({"session": None}, "does not say under which session settings"),
        (
            {"comparison": Comparison(verdict=Verdict.FAIL, reason="", tier=Tier.LOSSLESS, samples=9)},
            "its verdict is pass, that of its numbers fail",
        ),
    ],
)
def test_without_proof_a_version_is_served_only_on_demand(tmp_path, publish_classifier, changes, message):
    folder = publish_classifier(tmp_path, **changes)
    with pytest.raises(ModelRefused, match=message):
        load_version(folder, max_rows=8)
    assert load_version(folder, allow_unverified=True, max_rows=8).version == "1"


@pytest.mark.parametrize("allow_unverified", [False, True])
def test_a_changed_file_is_never_served(tmp_path, publish_classifier, allow_unverified):
    folder = publish_classifier(tmp_path)
    with (folder / "model.onnx").open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(ModelRefused, match="was changed after it was published"):
        load_version(folder, allow_unverified=allow_unverified, max_rows=8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 99}, "schema_version 99"),
        ({"model": "letters"}, "holds letters version 1"),
        ({"version": 3}, "holds digits version 3"),
        ({"artifacts": []}, "ships no onnx"),
        ({"inputs": []}, "the file's inputs are image"),
        ({"labels": None}, "is no manifest"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(tmp_path, publish_classifier, changes, message):
    folder = publish_classifier(tmp_path)
    edit_manifest(folder, **changes)
    with pytest.raises(ModelRefused, match=message):
        load_version(folder, max_rows=8)


@pytest.mark.parametrize("path", ["../1/model.onnx", "/etc/passwd", "a/../../b"])
def test_an_artifact_cannot_lie_outside_its_folder(tmp_path, publish_classifier, path):
    with pytest.raises(ModelRefused, match="outside its folder"):
        load_version(publish_classifier(tmp_path, path=path), max_rows=8)


def test_a_model_without_a_batch_dimension_is_refused(tmp_path, publish_classifier):
    folder = publish_classifier(tmp_path)
    manifest = json.loads((folder / MANIFEST_NAME).read_text())
    manifest["inputs"][0]["shape"] = [1, 28, 28, 1]
    edit_manifest(folder, inputs=manifest["inputs"])
    with pytest.raises(ModelRefused, match="image has no free first dimension"):
        load_version(folder, max_rows=8)


@pytest.mark.parametrize(
    ("kind", "index", "changes", "message"),
    [
        (
            "inputs",
            0,
            {"datatype": "FP32"},
            r"image is tensor\(uint8\) \[-1, 28, 28, 1\], the manifest says FP32",
        ),
        ("inputs", 0, {"datatype": "BYTES"}, "the manifest says BYTES"),
        ("inputs", 0, {"shape": [-1, 27, 28, 1]}, r"the manifest says UINT8 \[-1, 27, 28, 1\]"),
        ("inputs", 0, {"shape": [-1, -1, 28, 1]}, r"the manifest says UINT8 \[-1, -1, 28, 1\]"),
        ("inputs", 0, {"shape": [-1, 784]}, r"the manifest says UINT8 \[-1, 784\]"),
        ("inputs", 0, {"shape": []}, "image has no free first dimension"),
        ("outputs", 0, {"datatype": "FP64"}, r"logits is tensor\(float\) \[-1, 10\], the manifest says FP64"),
        ("outputs", 1, {"shape": [-1, 11]}, r"the manifest says FP32 \[-1, 11\]"),
        (
            "outputs",
            1,
            {"name": "logits"},
            "the file's outputs are logits, probabilities, not the manifest's",
        ),
    ],
)
def test_a_file_that_is_not_what_the_manifest_says_is_refused(
    tmp_path, publish_classifier, kind, index, changes, message
):
    folder = publish_classifier(tmp_path)
    tensors = json.loads((folder / MANIFEST_NAME).read_text())[kind]
    tensors[index] |= changes
    edit_manifest(folder, **{kind: tensors})
    with pytest.raises(ModelRefused, match=message):
        load_version(folder, allow_unverified=True, max_rows=8)


def test_a_tensor_that_is_named_twice_is_refused(tmp_path, publish_classifier):
    folder = publish_classifier(tmp_path)
    outputs = json.loads((folder / MANIFEST_NAME).read_text())["outputs"]
    edit_manifest(folder, outputs=[*outputs, outputs[0]])
    with pytest.raises(ModelRefused, match="not the manifest's"):
        load_version(folder, max_rows=8)


def test_labels_are_as_many_as_the_classes_or_none(tmp_path, publish_classifier):
    folder = publish_classifier(tmp_path)
    edit_manifest(folder, labels=["a", "b"])
    with pytest.raises(ModelRefused, match="has 2 labels for 10 classes"):
        load_version(folder, max_rows=8)
    edit_manifest(folder, labels=[])
    assert load_version(folder, max_rows=8).version == "1"


def test_an_answer_that_is_not_what_the_manifest_says_is_refused(tmp_path, publish_classifier):
    folder = publish_classifier(tmp_path)
    path = folder / "model.onnx"
    model = onnx.load(path)
    for output in model.graph.output:  # the file no longer says how many classes there are
        output.type.tensor_type.ClearField("shape")
    onnx.save(model, path)
    manifest = json.loads((folder / MANIFEST_NAME).read_text())
    artifact = manifest["artifacts"][0] | {"sha256": content_sha256(path)}
    manifest["outputs"][0]["shape"] = [-1, 7]
    edit_manifest(folder, artifacts=[artifact], outputs=manifest["outputs"], labels=[])
    with pytest.raises(ModelRefused, match=r"1 rows gave logits as float32 \[1, 10\], .* FP32 \[-1, 7\]"):
        load_version(folder, allow_unverified=True, max_rows=8)


def test_the_recorded_session_settings_are_used(tmp_path, publish_classifier, monkeypatch):
    opened = []
    original = session_module.ort.InferenceSession

    def watch(model, sess_options, **rest):
        opened.append((sess_options.intra_op_num_threads, sess_options.graph_optimization_level.name))
        return original(model, sess_options=sess_options, **rest)

    monkeypatch.setattr(session_module.ort, "InferenceSession", watch)
    settings = SessionSettings(intra_op_threads=2, graph_optimization="basic")
    load_version(publish_classifier(tmp_path, session=settings), max_rows=8)
    assert opened == [(2, "ORT_ENABLE_BASIC")]


def test_short_runs_stay_on_the_loop_and_long_ones_leave_it(tmp_path, publish_classifier):
    short = load_version(publish_classifier(tmp_path, "short"), max_rows=2)
    long = load_version(publish_classifier(tmp_path, "long", idle_turns=20_000), max_rows=2)
    assert short.runs_inline(1)
    assert not long.runs_inline(1)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("letters", "holds no model 'letters', but digits"),
        ("../digits", "holds no model '../digits'"),
        (".", "holds no model '.'"),
        ("digits/1", "holds no model 'digits/1'"),
    ],
)
def test_a_model_is_named_by_its_folder_alone(tmp_path, publish_classifier, model, message):
    publish_classifier(tmp_path)
    with pytest.raises(RepositoryError, match=message):
        load_repository(tmp_path, model=model, max_rows=8)


def test_a_repository_without_anything_to_serve(tmp_path, publish_classifier):
    with pytest.raises(RepositoryError, match=r"cannot be read .* run `keraport export` first"):
        load_repository(tmp_path / "none", max_rows=8)
    with pytest.raises(RepositoryError, match="holds no published model"):
        load_repository(tmp_path, max_rows=8)
    publish_classifier(tmp_path, verdict=Verdict.FAIL)
    with pytest.raises(RepositoryError, match="can be served, see above"):
        load_repository(tmp_path, max_rows=8)
