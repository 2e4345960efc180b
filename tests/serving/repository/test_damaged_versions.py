"""Files of a version that are damaged or of another kind: it is refused, all else is served."""

import logging
import os

import pytest


def deeply_nested(manifest):
    manifest.write_text('{"schema_version":' + "[" * 100_000 + "]" * 100_000 + "}")


def larger_than_any(manifest):
    with manifest.open("ab") as stream:
        stream.truncate(16 * 1024 * 1024 + 1)


def a_pipe(path):
    path.unlink()
    os.mkfifo(path)


def a_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("manifest.json", deeply_nested, "manifest.json is no manifest ("),
        ("manifest.json", larger_than_any, "manifest.json has 16,777,217 bytes, over 16,777,216"),
        ("manifest.json", a_pipe, "manifest.json is no plain file"),
        ("manifest.json", a_folder, "manifest.json is no plain file"),
        ("manifest.json", lambda path: path.write_bytes(b'{"schema_version": "\xff"}'), "is no manifest ("),
        ("manifest.json", lambda path: path.unlink(), "manifest.json cannot be read"),
        ("model.onnx", a_pipe, "model.onnx is missing, or of another kind"),
        ("model.onnx", a_folder, "model.onnx is missing, or of another kind"),
        ("model.onnx", lambda path: path.unlink(), "model.onnx is missing, or of another kind"),
    ],
)
async def test_one_bad_version_takes_no_other_down(
    tmp_path, publish_classifier, rollout_of, caplog, name, spoil, message
):
    publish_classifier(tmp_path, "letters", 1)
    publish_classifier(tmp_path, "digits", 1)
    spoil(publish_classifier(tmp_path, "digits", 2) / name)
    with caplog.at_level(logging.WARNING):
        assert await rollout_of(tmp_path).begun() == {"digits": [1], "letters": [1]}
    assert len(caplog.messages) == 1
    assert message in caplog.messages[0]
    assert len(caplog.messages[0]) < 1000
