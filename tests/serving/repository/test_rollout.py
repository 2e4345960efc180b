"""Which versions are served, at the start and as the repository changes."""

import logging
import shutil

import pytest

from export.verdict import Verdict
from serving.errors import LoadRefused, ModelNotFound, RepositoryError
from serving.settings import Policy, VersionPolicy


async def test_the_newest_version_of_every_model_is_served(tmp_path, publish_classifier, rollout_of):
    for version in (2, 10, 9):
        publish_classifier(tmp_path, "digits", version)
    publish_classifier(tmp_path, "letters", 1)
    assert await rollout_of(tmp_path).begun() == {"digits": [10], "letters": [1]}
    assert await rollout_of(tmp_path, model="letters").begun() == {"letters": [1]}


@pytest.mark.parametrize(
    ("policy", "served"),
    [
        (VersionPolicy(latest=2), [4, 2]),  # 3 is refused
        (VersionPolicy(kind=Policy.ALL), [4, 2, 1]),
        (VersionPolicy(kind=Policy.LISTED, versions=(1, 3, 4)), [4, 1]),
    ],
)
async def test_the_policy_says_which(tmp_path, publish_classifier, rollout_of, policy, served):
    for version in (1, 2, 4):
        publish_classifier(tmp_path, "digits", version)
    publish_classifier(tmp_path, "digits", 3, verdict=Verdict.FAIL)
    assert await rollout_of(tmp_path, versions=policy).begun() == {"digits": served}


async def test_what_is_no_version_is_passed_over(tmp_path, publish_classifier, rollout_of):
    publish_classifier(tmp_path, "digits", 1)
    for name in (".staging-x", "0", "007", "2.old", "notes"):
        (tmp_path / "digits" / name).mkdir()
    (tmp_path / ".hidden" / "1").mkdir(parents=True)
    (tmp_path / "with space" / "1").mkdir(parents=True)
    (tmp_path / "README").write_text("")
    assert await rollout_of(tmp_path).begun() == {"digits": [1]}


async def test_a_refused_version_is_named_and_the_one_before_is_served(
    tmp_path, publish_classifier, rollout_of, caplog
):
    publish_classifier(tmp_path, "digits", 1)
    publish_classifier(tmp_path, "digits", 2, verdict=Verdict.INCONCLUSIVE, reason="too few samples")
    stage = rollout_of(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert await stage.begun() == {"digits": [1]}
    reason = (
        "its verdict is inconclusive (too few samples): export it again, or serve it with --allow-unverified"
    )
    assert caplog.messages == [f"digits version 2 is not served: {reason}"]
    assert stage.index == [("digits", "1", "READY", ""), ("digits", "2", "UNAVAILABLE", reason)]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("letters", "holds no model 'letters', but digits"),
        ("../digits", "holds no model '../digits'"),
        (".", "holds no model '.'"),
        ("digits/1", "holds no model 'digits/1'"),
    ],
)
async def test_a_model_is_named_by_its_folder_alone(tmp_path, publish_classifier, rollout_of, model, message):
    publish_classifier(tmp_path)
    with pytest.raises(RepositoryError, match=message):
        await rollout_of(tmp_path, model=model).begun()
    stage = rollout_of(tmp_path)
    await stage.begun()
    with pytest.raises(ModelNotFound, match="the repository holds no model"):
        await stage.rollout.load(model)


async def test_a_repository_without_anything_to_serve(tmp_path, publish_classifier, rollout_of):
    with pytest.raises(RepositoryError, match=r"cannot be read .* run `keraport export` first"):
        await rollout_of(tmp_path / "none").begun()
    with pytest.raises(RepositoryError, match="holds no published model"):
        await rollout_of(tmp_path).begun()
    publish_classifier(tmp_path, verdict=Verdict.FAIL)
    with pytest.raises(RepositoryError, match="can be served, see above"):
        await rollout_of(tmp_path).begun()


async def test_a_new_version_takes_over_and_an_old_one_that_comes_back_does_so_too(
    tmp_path, publish_classifier, rollout_of
):
    publish_classifier(tmp_path, "digits", 1)
    stage = rollout_of(tmp_path)
    await stage.begun()
    newer = publish_classifier(tmp_path, "digits", 2)
    publish_classifier(tmp_path, "letters", 1)
    assert await stage.refreshed() == {"digits": [2], "letters": [1]}
    shutil.rmtree(newer)
    shutil.rmtree(tmp_path / "letters")
    assert await stage.refreshed() == {"digits": [1]}
    assert stage.index == [("digits", "1", "READY", "")]


async def test_what_has_not_changed_is_not_loaded_again(tmp_path, publish_classifier, rollout_of):
    publish_classifier(tmp_path, "digits", 1)
    publish_classifier(tmp_path, "digits", 2, verdict=Verdict.FAIL)
    stage = rollout_of(tmp_path)
    await stage.begun()
    await stage.refreshed()
    assert stage.loaded == [("digits", 2), ("digits", 1)]
    (tmp_path / "digits" / "config.toml").write_text("max_queue = 3")
    await stage.refreshed()
    assert stage.loaded == [("digits", 2), ("digits", 1), ("digits", 2), ("digits", 1)]


async def test_a_bad_new_version_leaves_the_old_one(tmp_path, publish_classifier, rollout_of):
    publish_classifier(tmp_path, "digits", 1)
    stage = rollout_of(tmp_path)
    await stage.begun()
    bad = publish_classifier(tmp_path, "digits", 2)
    (bad / "model.onnx").write_bytes(b"no model")
    with pytest.raises(LoadRefused, match=r"digits version 2: .*was changed after it was published"):
        await stage.rollout.load("digits")
    assert stage.served == {"digits": [1]}
    assert [entry[:3] for entry in stage.index] == [("digits", "1", "READY"), ("digits", "2", "UNAVAILABLE")]


async def test_files_that_are_spoilt_in_place_leave_what_was_loaded(tmp_path, publish_classifier, rollout_of):
    folder = publish_classifier(tmp_path, "digits", 2)
    publish_classifier(tmp_path, "digits", 1)
    stage = rollout_of(tmp_path)
    await stage.begun()
    (folder / "model.onnx").write_bytes(b"no model")
    assert await stage.refreshed() == {"digits": [2]}
    assert stage.index[0][:3] == ("digits", "2", "READY")
    assert "the files changed, and are refused" in stage.index[0][3]


async def test_a_bad_settings_file_leaves_what_was_loaded(tmp_path, publish_classifier, rollout_of):
    publish_classifier(tmp_path, "digits", 1)
    stage = rollout_of(tmp_path)
    await stage.begun()
    (tmp_path / "digits" / "config.toml").write_text("max_queue = 'many'")
    assert await stage.refreshed() == {"digits": [1]}
    assert stage.index[0][:3] == ("digits", "", "UNAVAILABLE")
    assert "digits/config.toml: max_queue" in stage.index[0][3]
    with pytest.raises(LoadRefused, match="max_queue"):
        await stage.rollout.load("digits")


async def test_what_was_unloaded_stays_away_until_it_is_loaded(tmp_path, publish_classifier, rollout_of):
    publish_classifier(tmp_path, "digits", 1)
    publish_classifier(tmp_path, "letters", 1)
    stage = rollout_of(tmp_path)
    await stage.begun()
    await stage.rollout.unload("digits")
    assert stage.served == {"letters": [1]}
    assert stage.index[0] == ("digits", "", "UNAVAILABLE", "unloaded")
    publish_classifier(tmp_path, "digits", 2)
    assert await stage.refreshed() == {"letters": [1]}
    with pytest.raises(ModelNotFound, match="no model 'digits' is loaded"):
        await stage.rollout.unload("digits")
    await stage.rollout.load("digits")
    assert stage.served == {"digits": [2], "letters": [1]}


async def test_a_listed_version_that_is_not_published_is_told(tmp_path, publish_classifier, rollout_of):
    publish_classifier(tmp_path, "digits", 1)
    stage = rollout_of(tmp_path, versions=VersionPolicy(kind=Policy.LISTED, versions=(1, 7)))
    assert await stage.begun() == {"digits": [1]}
    assert stage.index[1] == ("digits", "7", "UNAVAILABLE", "it is to be served, but is not published")


async def test_a_model_whose_versions_are_gone_ends_and_clients_are_not_told_where_it_lay(
    tmp_path, publish_classifier, rollout_of
):
    publish_classifier(tmp_path, "digits", 1)
    publish_classifier(tmp_path, "letters", 1)
    stage = rollout_of(tmp_path)
    await stage.begun()
    shutil.rmtree(tmp_path / "digits" / "1")
    assert await stage.refreshed() == {"letters": [1]}
    assert stage.index[0] == ("digits", "", "UNAVAILABLE", "digits holds no version of a model")
    shutil.rmtree(tmp_path / "digits")
    await stage.refreshed()
    assert [entry[0] for entry in stage.index] == ["letters"]


async def test_what_changes_is_logged(tmp_path, publish_classifier, rollout_of, caplog):
    publish_classifier(tmp_path, "digits", 1)
    stage = rollout_of(tmp_path)
    with caplog.at_level(logging.INFO, "serving"):
        await stage.begun()
        assert caplog.messages == []
        publish_classifier(tmp_path, "digits", 2)
        await stage.refreshed()
        await stage.refreshed()
    assert caplog.messages == [
        "digits version 2 is served from now on",
        "digits version 1 is served no longer",
    ]


async def test_reasons_that_hold_no_longer_are_not_told(tmp_path, publish_classifier, rollout_of):
    for version in (1, 2):
        publish_classifier(tmp_path, "digits", version)
    publish_classifier(tmp_path, "digits", 3, verdict=Verdict.FAIL)
    stage = rollout_of(tmp_path)
    assert await stage.begun() == {"digits": [2]}
    (tmp_path / "digits" / "config.toml").write_text("versions = [1]")
    assert await stage.refreshed() == {"digits": [1]}
    assert stage.index == [("digits", "1", "READY", "")]


async def test_a_worker_that_comes_later_serves_the_same(tmp_path, publish_classifier, rollout_of):
    publish_classifier(tmp_path, "letters", 1)
    publish_classifier(tmp_path, "digits", 1)
    damaged = publish_classifier(tmp_path, "digits", 2)
    stage = rollout_of(tmp_path)
    await stage.begun()
    (damaged / "model.onnx").write_bytes(b"no model")
    stage.loaded.clear()
    events = []

    async def prepare(loading):
        events.append((loading.model, loading.version))

    await stage.rollout.bring_up(prepare, lambda: events.append("joined"))
    assert events == [("letters", 1), "joined"]
    assert stage.loaded == [("digits", 2), ("digits", 1)]
    assert stage.served == {"digits": [1], "letters": [1]}


async def test_a_worker_that_dies_while_it_is_brought_up_changes_nothing(
    tmp_path, publish_classifier, rollout_of
):
    folder = publish_classifier(tmp_path, "digits", 1)
    publish_classifier(tmp_path, "letters", 1)
    stage = rollout_of(tmp_path)
    await stage.begun()
    (folder / "model.onnx").touch()

    async def die(_):
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await stage.rollout.bring_up(die, lambda: None)
    assert stage.served == {"digits": [1], "letters": [1]}
    assert len(stage.rollout.live) == 2
