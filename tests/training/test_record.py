import json

import pytest

from training.errors import RecordError
from training.record import newest_run, read_record, write_atomically


def test_a_finished_run_tells_all_that_repeats_it(run_directory):
    record = read_record(run_directory)
    content = json.loads((run_directory / "run.json").read_text())
    assert content["parameters"] == 34_826
    assert content["validation"]["accuracy"] > 0.95
    assert content["test"]["accuracy_low"] < content["test"]["accuracy"] < content["test"]["accuracy_high"]
    assert record.status == "complete"
    assert (record.recipe, record.seed, record.settings["epochs"]) == ("default", 3, 1)
    assert record.dataset.train + record.dataset.validation == 60_000
    assert (record.best_epoch, len(record.history)) == (1, 1)
    assert {"tensorflow-cpu", "keras", "numpy"} <= set(record.packages) | {"tensorflow-cpu"}
    assert (run_directory / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert (run_directory / "history.csv").read_text().startswith("epoch,loss,accuracy")
    assert {path.name for path in run_directory.iterdir()} == {
        "run.json",
        "best.keras",
        "history.csv",
        "curves.png",
        "confusion.png",
        "calibration.png",
        "mistakes.png",
    }


def test_the_newest_complete_run_is_found(run_directory, tmp_path):
    assert newest_run(run_directory.parent) == run_directory
    content = json.loads((run_directory / "run.json").read_text())
    for name, status, created in [
        ("a", "complete", "2030"),
        ("b", "complete", "2031"),
        ("c", "interrupted", "2032"),
    ]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(
            json.dumps({**content, "status": status, "created": created})
        )
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "run.json").write_text("{")
    assert newest_run(tmp_path) == tmp_path / "b"


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "no run record"), ('{"schema_version": 99}', "schema_version 99"), ("[]", "no run record")],
)
def test_a_record_that_cannot_be_trusted_is_refused(tmp_path, text, message):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(RecordError, match=message):
        read_record(tmp_path)


def test_no_runs_is_said_with_the_mend(tmp_path):
    with pytest.raises(RecordError, match="keraport train"):
        newest_run(tmp_path)


def test_an_atomic_write_leaves_no_second_file(tmp_path):
    write_atomically(tmp_path / "a", b"1")
    write_atomically(tmp_path / "a", b"2")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"2"
