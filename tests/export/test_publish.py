import threading
from dataclasses import replace
from pathlib import Path

import pytest

from export.errors import PublishError
from export.manifest import Manifest, read_manifest
from export.publish import check_model_name, publish, staging


@pytest.fixture
def draft(published) -> Manifest:
    return replace(read_manifest(published), version=0, artifacts=())


def test_versions_count_up_and_older_ones_stay(draft, tmp_path):
    for expected in (1, 2, 3):
        with staging(tmp_path, "m") as folder:
            (folder / "content").write_text(str(expected))
            assert publish(draft, folder).version == expected
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["1", "2", "3"]
    assert (tmp_path / "m" / "1" / "content").read_text() == "1"


def test_exports_at_once_get_versions_of_their_own(draft, tmp_path):
    def export() -> None:
        with staging(tmp_path, "m") as folder:
            (folder / "content").write_text("x")
            gate.wait()
            publish(draft, folder)

    gate = threading.Barrier(8)
    threads = [threading.Thread(target=export) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(path.name) for path in (tmp_path / "m").iterdir()) == list(range(1, 9))
    for version in range(1, 9):
        assert read_manifest(tmp_path / "m" / str(version)).version == version


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_export_leaves_nothing(tmp_path, error):
    def interrupted() -> None:
        with staging(tmp_path, "m") as folder:
            (folder / "half").write_text("x")
            raise error

    with pytest.raises(error):
        interrupted()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".hidden", "a b", "x" * 129, "a\n"])
def test_a_name_that_could_leave_the_repository_is_refused(name):
    with pytest.raises(PublishError, match="cannot name a model"):
        check_model_name(name)


def test_a_repository_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(PublishError, match="choose another --repository"),
        staging(Path(tmp_path / "file"), "m"),
    ):
        pass
