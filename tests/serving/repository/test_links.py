"""Symbolic links: followed inside the repository, as Kubernetes mounts volumes, and never out of it."""

import onnx
import pytest

from export.manifest import content_sha256
from serving.errors import ModelRefused
from serving.repository.config_file import read_model_settings
from serving.repository.loading import load_version
from serving.settings import ModelSettings


def reason_of(folder):
    with pytest.raises(ModelRefused) as caught:
        load_version(folder, ModelSettings())
    return str(caught.value)


def move(path, target):
    """Put a link in the place of a file or folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    path.rename(target)
    path.symlink_to(target)


@pytest.fixture
def repository(tmp_path):
    path = tmp_path / "models"
    path.mkdir()
    return path


@pytest.mark.parametrize("linked", ["digits", "digits/1", "digits/1/model.onnx", "digits/1/manifest.json"])
@pytest.mark.parametrize("inside", [True, False])
def test_links_may_lead_anywhere_within_the_repository(
    tmp_path, repository, publish_classifier, linked, inside
):
    folder = publish_classifier(repository)
    move(repository / linked, (repository / "..data" if inside else tmp_path / "out") / linked)
    if inside:
        load_version(folder, ModelSettings())
        return
    reason = reason_of(folder)
    assert "is a link that leads out of the repository: put the file itself there" in reason
    assert reason.startswith("digits/1/")
    assert str(tmp_path) not in reason


def test_the_repository_itself_may_be_a_link(tmp_path, repository, publish_classifier):
    publish_classifier(repository)
    (tmp_path / "link").symlink_to(repository)
    load_version(tmp_path / "link" / "digits" / "1", ModelSettings())


def test_a_link_into_a_folder_whose_name_only_begins_alike_leads_out(
    tmp_path, repository, publish_classifier
):
    folder = publish_classifier(repository)
    move(folder / "model.onnx", tmp_path / "models-of-others" / "model.onnx")
    assert "leads out of the repository" in reason_of(folder)


def test_a_link_to_itself_is_refused(repository, publish_classifier):
    folder = publish_classifier(repository)
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").symlink_to("model.onnx")
    assert "digits/1/model.onnx" in reason_of(folder)


def test_settings_that_lie_outside_are_not_read(tmp_path, repository, publish_classifier):
    folder = publish_classifier(repository).parent
    (tmp_path / "secret").write_text("root:x:0:0")
    (folder / "config.toml").symlink_to(tmp_path / "secret")
    with pytest.raises(ModelRefused, match=r"digits/config\.toml is a link that leads out") as caught:
        read_model_settings(folder, ModelSettings())
    assert "root" not in str(caught.value)


def test_reasons_do_not_tell_where_the_repository_lies(repository, publish_classifier):
    folder = publish_classifier(repository)
    (folder / "model.onnx").write_bytes(b"changed")
    assert reason_of(folder).startswith("digits/1/model.onnx was changed after it was published")
    (folder / "manifest.json").write_text("{")
    assert str(repository) not in reason_of(folder)


def test_weights_in_a_file_of_their_own_are_refused_for_nothing_checks_them(
    repository, publish_classifier, classifier
):
    folder = publish_classifier(repository)
    published = content_sha256(folder / "model.onnx")
    model = onnx.load_from_string(classifier.onnx())
    onnx.save_model(
        model, folder / "model.onnx", save_as_external_data=True, location="weights", size_threshold=0
    )
    manifest = folder / "manifest.json"
    assert (folder / "weights").exists()
    manifest.write_text(manifest.read_text().replace(published, content_sha256(folder / "model.onnx")))
    assert "model.onnx is not a usable ONNX file" in reason_of(folder)
