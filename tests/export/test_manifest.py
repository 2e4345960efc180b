import json
import shutil

import pytest

from export.artifacts import verify_artifact
from export.errors import ManifestError
from export.formats import Format, default_formats
from export.manifest import content_sha256, read_manifest


def test_a_published_version_tells_and_keeps_its_contract(published):
    manifest = read_manifest(published)
    assert (manifest.model, manifest.version, manifest.labels) == ("mnist", 1, tuple("0123456789"))
    assert [(tensor.name, tensor.datatype, tensor.shape) for tensor in manifest.inputs] == [
        ("image", "UINT8", (-1, 28, 28, 1))
    ]
    assert [(tensor.name, tensor.datatype, tensor.shape, tensor.meaning) for tensor in manifest.outputs] == [
        ("logits", "FP32", (-1, 10), "logits"),
        ("probabilities", "FP32", (-1, 10), "probabilities"),
    ]
    assert [artifact.format for artifact in manifest.artifacts] == default_formats()
    for artifact in manifest.artifacts:
        path = verify_artifact(published, artifact)
        assert artifact.verdict == "pass"
        assert artifact.comparison.samples == 10_000
        assert artifact.binding.artifact_sha256 == content_sha256(path) == artifact.sha256
        assert artifact.binding.reference_sha256 == manifest.source.checkpoint_sha256
        assert artifact.binding.data_sha256 == manifest.dataset.sha256
    assert manifest.artifact(Format.ONNX).session.intra_op_threads == 1
    report = json.loads((published / "report.json").read_text())
    assert [row["format"] for row in report["artifacts"]] == default_formats()
    assert "mnist version 1" in (published / "report.html").read_text()


@pytest.fixture
def copy(published, tmp_path):
    shutil.copytree(published, tmp_path / "1")
    return tmp_path / "1"


@pytest.mark.parametrize("name", ["model.onnx", "saved_model/saved_model.pb"])
def test_a_changed_byte_is_noticed(copy, name):
    content = bytearray((copy / name).read_bytes())
    content[-1] ^= 1
    (copy / name).write_bytes(content)
    manifest = read_manifest(copy)
    wanted = Format.ONNX if name == "model.onnx" else Format.SAVED_MODEL
    with pytest.raises(ManifestError, match="was changed"):
        verify_artifact(copy, manifest.artifact(wanted))


def test_a_file_added_to_the_saved_model_is_noticed(copy):
    (copy / "saved_model" / "assets" / "extra").write_text("")
    with pytest.raises(ManifestError, match="was changed"):
        verify_artifact(copy, read_manifest(copy).artifact(Format.SAVED_MODEL))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda manifest: manifest | {"schema_version": 2}, "schema_version 2"),
        (lambda manifest: manifest | {"artifacts": 3}, "no manifest"),
        (lambda manifest: {"schema_version": manifest["schema_version"]}, "no manifest"),
        (
            lambda manifest: manifest | {"artifacts": [manifest["artifacts"][1] | {"path": "../model.onnx"}]},
            "outside its folder",
        ),
        (
            lambda manifest: manifest | {"artifacts": [manifest["artifacts"][1] | {"path": "/etc/hostname"}]},
            "outside its folder",
        ),
    ],
)
def test_a_manifest_that_cannot_be_trusted_is_refused(copy, change, message):
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps(change(manifest)))
    with pytest.raises(ManifestError, match=message):
        read_manifest(copy)
