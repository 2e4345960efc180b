"""A model's `config.toml`, and the session settings that it may ask for."""

from dataclasses import replace

import pytest

from export.sessions import SessionSettings
from serving.errors import ModelRefused
from serving.repository.checked_settings import session_settings
from serving.repository.config_file import read_model_settings
from serving.settings import ModelSettings, Policy, VersionPolicy

DEFAULTS = ModelSettings(max_queue=7, max_delay_ms=3.0)


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "models" / "digits"
    folder.mkdir(parents=True)
    return folder


def test_without_a_file_the_defaults_hold(model):
    assert read_model_settings(model, DEFAULTS) is DEFAULTS


def test_the_file_goes_before_the_defaults(model):
    (model / "config.toml").write_text(
        "max_batch_rows = 32\nmax_delay_ms = 2\nsessions = 2\nintra_op_threads = 4\n"
        "padding_buckets = [8, 16]\npriority_levels = 2\ndefault_priority = 1\n"
    )
    assert read_model_settings(model, DEFAULTS) == ModelSettings(
        max_queue=7,
        max_batch_rows=32,
        max_delay_ms=2.0,
        sessions=2,
        intra_op_threads=4,
        padding_buckets=(8, 16),
        priority_levels=2,
        default_priority=1,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"all"', VersionPolicy(kind=Policy.ALL)),
        ('"latest"', VersionPolicy()),
        ('"latest:3"', VersionPolicy(latest=3)),
        ("{latest = 2}", VersionPolicy(latest=2)),
        ("[1, 3]", VersionPolicy(kind=Policy.LISTED, versions=(1, 3))),
    ],
)
def test_policies(model, text, expected):
    (model / "config.toml").write_text(f"versions = {text}\n")
    assert read_model_settings(model, DEFAULTS) == replace(DEFAULTS, versions=expected)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            "max_batch_row = 8",
            "'max_batch_row' is not known: did you mean max_batch_rows? the keys are max_batch",
        ),
        ("max_batch_rows = '8'", "max_batch_rows is '8': expected `int`, got `str`"),
        ("sessions = true", "sessions is true: expected `int | null`, got `bool`"),
        ("sessions = 65", "sessions must be 1 to 64, not 65"),
        ("max_delay_ms = nan", "max_delay_ms must be 0 to 60,000, not nan"),
        ("padding_buckets = [8, 4]", "padding_buckets must be at most 64 numbers that grow"),
        ("padding_buckets = ['8']", "padding_buckets is ['8']: expected `int`, got `str`"),
        ("versions = []", "versions is []: expected all, latest"),
        ("versions = [1, 1]", "versions is [1, 1]: versions must list at most 1,000 numbers, each once"),
        ("versions = [0]", "versions is [0]: expected all"),
        ("versions = [true]", "versions is [True]: expected all"),
        ("versions = {latest = 0}", "latest must be 1 to 1,000, not 0"),
        ("sessions", "it is not TOML"),
    ],
)
def test_a_bad_file_refuses_the_model(model, content, told):
    (model / "config.toml").write_text(content)
    with pytest.raises(ModelRefused) as refusal:
        read_model_settings(model, DEFAULTS)
    message = str(refusal.value)
    assert message.startswith("digits/config.toml: ")
    assert told in message
    assert "\n" not in message
    assert str(model) not in message  # clients read it


def test_the_file_lies_in_the_repository(model, tmp_path):
    inside, outside = model.parent / "shared.toml", tmp_path / "outside.toml"
    for path in (inside, outside):
        path.write_text("sessions = 2\n")
    config = model / "config.toml"
    config.symlink_to(inside)
    assert read_model_settings(model, DEFAULTS).sessions == 2
    for target, told in [(outside, "leads out of the repository"), (model / "none", "it cannot be read")]:
        config.unlink()
        config.symlink_to(target)
        with pytest.raises(ModelRefused, match=told):
            read_model_settings(model, DEFAULTS)
    config.unlink()
    config.mkdir()
    with pytest.raises(ModelRefused, match=r"digits/config\.toml: it cannot be read: Is a directory"):
        read_model_settings(model, DEFAULTS)


def test_a_version_runs_as_it_was_checked():
    checked = SessionSettings(intra_op_threads=2, graph_optimization="basic")
    for wanted in (None, 2):
        settings = ModelSettings(intra_op_threads=wanted)
        assert session_settings(checked, settings, allow_unverified=False) == checked
    other = ModelSettings(intra_op_threads=4)
    with pytest.raises(ModelRefused, match=r"to be 4, .* checked under 2: export .* --intra-op-threads 4"):
        session_settings(checked, other, allow_unverified=False)
    assert session_settings(checked, other, allow_unverified=True) == replace(checked, intra_op_threads=4)
    with pytest.raises(ModelRefused, match="does not say under which session settings"):
        session_settings(None, ModelSettings(), allow_unverified=False)
    assert session_settings(None, ModelSettings(), allow_unverified=True) == SessionSettings()


def test_the_servers_defaults_make_room_for_a_models_own(tmp_path):
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "config.toml").write_text("max_batch_rows = 8\npriority_levels = 2")
    defaults = ModelSettings(batch_rows=16, padding_buckets=(4, 8, 16), priority_levels=5, default_priority=4)
    settings = read_model_settings(tmp_path / "digits", defaults)
    assert settings.padding_buckets == (4, 8)
    assert settings.batch_rows == 8
    assert settings.default_priority == 2
