"""What one version must be to be served."""

import asyncio
import json
import threading

import numpy as np
import onnx
import pytest

from export.formats import Tier
from export.manifest import MANIFEST_NAME, Binding, content_sha256
from export.sessions import SessionSettings
from export.verdict import Comparison, Verdict
from serving import session as session_module
from serving.errors import ModelRefused
from serving.model_config import config_message
from serving.pace import Pace
from serving.repository.loading import load_version
from serving.served import ServedModel
from serving.settings import ModelSettings
from serving.statistics import Statistics


def load(folder, *, allow_unverified=False, **settings):
    """The one session of a version."""
    (session,) = load_version(folder, ModelSettings(**settings), allow_unverified=allow_unverified)
    return session


def edit_manifest(folder, **changes):
    path = folder / MANIFEST_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


async def test_a_loaded_version_answers(tmp_path, publish_classifier, classifier, images):
    session = load(publish_classifier(tmp_path))
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
        load(folder)


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
        load(folder)
    assert load(folder, allow_unverified=True).version == "1"


@pytest.mark.parametrize("allow_unverified", [False, True])
def test_a_changed_file_is_never_served(tmp_path, publish_classifier, allow_unverified):
    folder = publish_classifier(tmp_path)
    with (folder / "model.onnx").open("ab") as stream:
        stream.write(b"\0")
    with pytest.raises(ModelRefused, match="was changed after it was published"):
        load(folder, allow_unverified=allow_unverified)


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
        load(folder)


@pytest.mark.parametrize("path", ["../1/model.onnx", "/etc/passwd", "a/../../b"])
def test_an_artifact_cannot_lie_outside_its_folder(tmp_path, publish_classifier, path):
    with pytest.raises(ModelRefused, match="outside its folder"):
        load(publish_classifier(tmp_path, path=path))


def test_a_model_without_a_batch_dimension_is_refused(tmp_path, publish_classifier):
    folder = publish_classifier(tmp_path)
    manifest = json.loads((folder / MANIFEST_NAME).read_text())
    manifest["inputs"][0]["shape"] = [1, 28, 28, 1]
    edit_manifest(folder, inputs=manifest["inputs"])
    with pytest.raises(ModelRefused, match="image has no free first dimension"):
        load(folder)


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
        load(folder, allow_unverified=True)


def test_a_tensor_that_is_named_twice_is_refused(tmp_path, publish_classifier):
    folder = publish_classifier(tmp_path)
    outputs = json.loads((folder / MANIFEST_NAME).read_text())["outputs"]
    edit_manifest(folder, outputs=[*outputs, outputs[0]])
    with pytest.raises(ModelRefused, match="not the manifest's"):
        load(folder)


def test_labels_are_as_many_as_the_classes_or_none(tmp_path, publish_classifier):
    folder = publish_classifier(tmp_path)
    edit_manifest(folder, labels=["a", "b"])
    with pytest.raises(ModelRefused, match="has 2 labels for 10 classes"):
        load(folder)
    edit_manifest(folder, labels=[])
    assert load(folder).version == "1"


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
        load(folder, allow_unverified=True)


def test_the_recorded_session_settings_are_used(tmp_path, publish_classifier, monkeypatch):
    opened = []
    original = session_module.ort.InferenceSession

    def watch(model, sess_options, **rest):
        opened.append((sess_options.intra_op_num_threads, sess_options.graph_optimization_level.name))
        return original(model, sess_options=sess_options, **rest)

    monkeypatch.setattr(session_module.ort, "InferenceSession", watch)
    settings = SessionSettings(intra_op_threads=2, graph_optimization="basic")
    load(publish_classifier(tmp_path, session=settings))
    assert opened == [(2, "ORT_ENABLE_BASIC")]


def test_short_runs_stay_on_the_loop_and_long_ones_leave_it(tmp_path, publish_classifier):
    short = load(publish_classifier(tmp_path, "short"), max_batch_rows=2)
    long = load(publish_classifier(tmp_path, "long", idle_turns=20_000), max_batch_rows=2)
    assert short.runs_inline(1)
    assert not long.runs_inline(1)


async def test_as_many_sessions_as_are_wanted(tmp_path, publish_classifier, classifier, images):
    sessions = load_version(publish_classifier(tmp_path), ModelSettings(sessions=3))
    answers = [await session.run({"image": images}) for session in sessions]
    assert len(answers) == 3
    for answer in answers:
        np.testing.assert_allclose(answer["logits"], classifier.expected(images)["logits"], atol=1e-4)


def test_runs_side_by_side_where_batches_gain_little(tmp_path, publish_classifier):
    folder = publish_classifier(tmp_path, idle_turns=20_000)  # for each run, however many rows
    counts = {
        batch_rows: len(load_version(folder, ModelSettings(batch_rows=batch_rows), side_by_side=3))
        for batch_rows in (1, 64)
    }
    assert counts == {1: 3, 64: 1}
    assert len(load_version(folder, ModelSettings(batch_rows=64, sessions=2), side_by_side=3)) == 2
    threads = publish_classifier(tmp_path, "threads", session=SessionSettings(intra_op_threads=2))
    assert len(load_version(threads, ModelSettings(batch_rows=1), side_by_side=3)) == 1


def test_other_threads_than_those_that_were_checked_are_refused(tmp_path, publish_classifier):
    folder = publish_classifier(tmp_path, session=SessionSettings(intra_op_threads=2))
    assert load(folder, intra_op_threads=2).version == "1"
    with pytest.raises(ModelRefused, match="intra_op_threads is to be 1, parity was checked under 2"):
        load(folder, intra_op_threads=1)
    assert load(folder, intra_op_threads=1, allow_unverified=True).version == "1"


async def test_the_size_of_batches_is_found_and_told(tmp_path, publish_classifier):
    folder = publish_classifier(tmp_path, idle_turns=20_000)
    found = load(folder, max_batch_rows=2)
    assert 1 <= found.pace.batch_rows <= 2
    set_to = load(folder, batch_rows=12, padding_buckets=(4, 8, 16))
    told = []
    for session, buckets in ((found, ()), (set_to, (4, 8, 16))):
        settings = ModelSettings(padding_buckets=buckets)
        model = ServedModel([session], settings, Statistics())
        told.append(config_message(session, model.settings).dynamic_batching.preferred_batch_size)
    assert told == [[found.pace.batch_rows], [4, 8, 12]]


async def test_long_runs_happen_in_one_thread_of_the_sessions_own(tmp_path, publish_classifier, images):
    session = load(publish_classifier(tmp_path, "long", idle_turns=20_000), max_batch_rows=2)
    await asyncio.gather(*(session.run({"image": images}) for _ in range(3)))
    assert [each.name for each in threading.enumerate()].count("long-1_0") == 1


async def test_sessions_with_short_runs_in_their_thread_get_batches_ahead(tmp_path, publish_classifier):
    session = load(publish_classifier(tmp_path))
    told = []
    for inline_rows, batch_s in ((8, 0.001), (7, 0.001), (0, 0.02), (0, 0.03)):
        pace = Pace(batch_rows=8, batch_s=batch_s, inline_rows=inline_rows, gain_s=0.0)
        session.keep_to(pace, ModelSettings())
        told.append(session.ahead)
    assert told == [False, True, True, False]
