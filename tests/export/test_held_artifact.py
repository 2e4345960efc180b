"""A file that is checked and then opened by its path is one and the same file."""

import os
from pathlib import Path

import pytest

from export.artifacts import held_artifact
from export.errors import ManifestError
from export.formats import Format
from export.manifest import read_manifest
from export.sessions import SessionSettings, open_session


@pytest.fixture
def version(tmp_path, publish_classifier):
    return publish_classifier(tmp_path)


def hold(folder):
    return held_artifact(folder, read_manifest(folder).artifact(Format.ONNX))


def write(path):
    path.write_bytes(b"other bytes")


def write_as_long(path):
    before = path.read_bytes()
    status = path.stat()
    path.write_bytes(before[:-1] + b"x")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


def replace(path):
    (path.parent / "next").write_bytes(path.read_bytes())
    (path.parent / "next").replace(path)


def test_the_bytes_that_were_published_are_those_that_are_read(version):
    with hold(version) as path:
        assert path.read_bytes() == (version / "model.onnx").read_bytes()
        assert open_session(path, SessionSettings()).get_inputs()[0].name == "image"


@pytest.mark.parametrize("change", [write, write_as_long, replace])
def test_a_change_while_it_is_held_is_noticed(version, change):
    with pytest.raises(ManifestError, match=r"model\.onnx changed while it was being loaded"), hold(version):
        change(version / "model.onnx")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="files cannot be held by descriptor here")
def test_a_file_that_takes_its_name_is_not_what_is_read(version):
    published = (version / "model.onnx").read_bytes()
    read = []

    def replace_and_read():
        with hold(version) as path:
            (version / "next").write_bytes(b"another model")
            (version / "next").replace(version / "model.onnx")
            read.append(path.read_bytes())

    with pytest.raises(ManifestError, match="changed while"):
        replace_and_read()
    assert read == [published]


def test_a_file_that_is_not_the_published_one_is_not_opened(version):
    write_as_long(version / "model.onnx")
    with pytest.raises(ManifestError, match=r"was changed after it was published"), hold(version):
        pytest.fail("it was held")
