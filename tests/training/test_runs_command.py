"""`keraport runs` as its users run it, and the interval that it judges by."""

import dataclasses
import json

import pytest

from training.metrics import wilson_interval
from training.record import (
    SCHEMA_VERSION,
    DataRecord,
    Epoch,
    Metrics,
    RunRecord,
    Status,
    write_record,
)
from training.samples import DataOptions, Task
from training.significance import newcombe_interval


def measured(correct, samples):
    low, high = wilson_interval(correct, samples)
    return Metrics(
        samples=samples,
        loss=0.125,
        correct=correct,
        accuracy=correct / samples,
        accuracy_low=low,
        accuracy_high=high,
    )


REGRESSION = Metrics(samples=500, loss=0.25, rmse=0.5, mae=0.375)
EPOCHS = tuple(
    Epoch(
        epoch=epoch,
        loss=0.5,
        accuracy=0.8,
        validation_loss=0.25,
        validation_accuracy=accuracy,
        seconds=30.0,
    )
    for epoch, accuracy in ((1, 0.9), (2, 0.95), (3, 0.93))
)


@pytest.fixture
def make_run(tmp_path):
    """Write a run's record into `runs`; keywords change it."""

    def make(name, **changes):
        record = RunRecord(
            schema_version=SCHEMA_VERSION,
            name=name,
            status=Status.COMPLETE,
            created="2026-03-01T10:00:00+00:00",
            recipe="default",
            settings={"epochs": 3, "dropout": 0.1},
            architecture_sha256=None,
            seed=0,
            deterministic=False,
            parameters=34_826,
            dataset=DataRecord(
                source="mnist",
                options=DataOptions(),
                task=Task.CLASSIFICATION,
                sha256="ab" * 32,
                train=54_000,
                validation=6_000,
                test=10_000,
                index_sha256="cd" * 32,
            ),
            labels=tuple("0123456789"),
            packages={"python": "3.11.9", "keras": "3.15.0"},
            history=EPOCHS,
            best_epoch=2,
            checkpoint_sha256="ef" * 32,
            validation=measured(5_700, 6_000),
            test=measured(9_900, 10_000),
            wall_seconds=95.0,
        )
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        write_record(dataclasses.replace(record, **changes), folder)
        return f"runs/{name}"

    return make


def lines_of(result):
    assert result.returncode == 0, result.stderr
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    # Newcombe 1998, table II, method 10, cases (a), (b), (d), (h).
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_the_interval_is_that_of_newcombes_table(first, second, low, high):
    assert newcombe_interval(first, second) == pytest.approx((low, high), abs=5e-5)
    assert newcombe_interval(second, first) == pytest.approx((-high, -low), abs=5e-5)


def test_runs_are_listed_newest_first(keraport, make_run, tmp_path):
    make_run("old", created="2026-01-01T10:00:00+00:00", seed=7)
    make_run("new", created="2026-05-01T10:00:00+00:00", recipe="notebook", wall_seconds=3_725.0)
    make_run("values", validation=REGRESSION, test=REGRESSION, labels=())
    make_run(
        "going",
        created="2026-06-01T10:00:00+00:00",
        status=Status.RUNNING,
        history=(),
        best_epoch=None,
        validation=None,
        test=None,
        wall_seconds=0.0,
    )
    (tmp_path / "runs" / "no run").mkdir()
    lines = lines_of(keraport("runs", "list", cwd=tmp_path))
    assert lines[1:] == [
        "runs/going running default 0 0 - - - -",
        "runs/new complete notebook 0 3 2 95.00% 99.00% (98.79% to 99.18%) 1:02:05",
        "runs/values complete default 0 3 2 RMSE 0.5 RMSE 0.5 0:01:35",
        "runs/old complete default 7 3 2 95.00% 99.00% (98.79% to 99.18%) 0:01:35",
    ]
    listed = json.loads(keraport("runs", "list", "--json", cwd=tmp_path).stdout)["runs"]
    assert [row["name"] for row in listed] == ["going", "new", "values", "old"]
    assert (listed[1]["test"]["accuracy"], listed[1]["wall_seconds"], listed[1]["epochs"]) == (0.99, 3725, 3)
    assert (listed[0]["test"], listed[0]["best_epoch"], listed[0]["problem"]) == (None, None, None)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "is no run record"),
        (b'{"schema_version": 99}', "has schema_version 99"),
        (b'{"schema_version": 1, "name": "\xff"}', "is no run record"),
        (b'{"schema_version": 1, "settings": ' + b"[" * 100_000, "is no run record"),
    ],
)
def test_an_unreadable_record_is_listed_as_such(keraport, make_run, tmp_path, content, reason):
    make_run("good")
    (tmp_path / "runs" / "bad").mkdir()
    (tmp_path / "runs" / "bad" / "run.json").write_bytes(content)
    lines = lines_of(keraport("runs", "list", cwd=tmp_path))
    assert lines[1].startswith("runs/good complete")
    assert lines[2] == "runs/bad unreadable - - - - - - -"
    assert lines[3].startswith("unreadable: runs/bad/run.json ")
    assert reason in lines[3]
    listed = json.loads(keraport("runs", "list", "--json", cwd=tmp_path).stdout)["runs"]
    assert (listed[1]["path"], reason in listed[1]["problem"]) == ("runs/bad", True)


def test_a_folder_without_runs_is_listed_as_empty(keraport, tmp_path):
    (tmp_path / "mine").mkdir()
    assert "keraport train" in lines_of(keraport("runs", "list", "--runs", "mine", cwd=tmp_path))[0]
    result = keraport("runs", "list", "--runs", "mine", "--json", cwd=tmp_path)
    assert json.loads(result.stdout) == {"runs": []}


def test_a_run_is_shown_with_all_that_it_holds(keraport, make_run, tmp_path):
    run = make_run("good")
    lines = lines_of(keraport("runs", "show", run, cwd=tmp_path))
    assert lines[0] == "runs/good: complete, default, seed 0"
    for line in (
        "parameters 34,826",
        "classes 10: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9",
        "dropout 0.1",
        "source mnist",
        f"sha256 {'ab' * 32}",
        "keras 3.15.0",
        "accuracy 99.00% (98.79% to 99.18%)",
        "2 0.5000 80.00% 0.2500 95.00% 30.0 best",
    ):
        assert line in lines
    shown = keraport("runs", "show", run, "--json", cwd=tmp_path).stdout
    assert json.loads(shown) == json.loads((tmp_path / run / "run.json").read_text())


def test_a_regression_is_shown_with_its_errors(keraport, make_run, tmp_path):
    history = tuple(dataclasses.replace(epoch, accuracy=None, validation_accuracy=None) for epoch in EPOCHS)
    run = make_run("values", history=history, validation=REGRESSION, test=REGRESSION, labels=())
    lines = lines_of(keraport("runs", "show", run, cwd=tmp_path))
    assert {"RMSE 0.5", "MAE 0.375", "1 0.5000 - 0.2500 - 30.0"} <= set(lines)


def test_runs_that_differ_beyond_the_noise_are_told_apart(keraport, make_run, tmp_path):
    settings = {"epochs": 3, "dropout": 0.3, "shift": 1.5}
    runs = (
        make_run("base"),
        make_run("worse", test=measured(9_800, 10_000), seed=1),
        make_run("close", test=measured(9_920, 10_000), settings=settings),
        make_run("better", test=measured(9_960, 10_000)),
    )
    lines = lines_of(keraport("runs", "compare", *runs, cwd=tmp_path))
    assert lines[0] == "runs/base runs/worse runs/close runs/better"
    assert lines[1:5] == [
        "settings.dropout 0.1 0.1 0.3 0.1",
        "seed 0 1 0 0",
        "settings.shift - - 1.5 -",
        "status complete complete complete complete",
    ]
    low, high = newcombe_interval((9_800, 10_000), (9_900, 10_000))
    assert (
        f"runs/worse against runs/base: test accuracy -1.00 points, 95 % interval {100 * low:+.2f} to "
        f"{100 * high:+.2f}: beyond the noise, runs/worse is worse"
    ) in lines
    assert any(line.startswith("runs/close against") and "within the noise" in line for line in lines)
    compared = json.loads(keraport("runs", "compare", *runs, "--json", cwd=tmp_path).stdout)
    assert [each["finding"] for each in compared["differences"]] == ["worse", "within noise", "better"]
    assert compared["differences"][0]["low"] == pytest.approx(low)
    assert compared["settings"]["settings.shift"] == [None, None, 1.5, None]
    assert [row["test"]["correct"] for row in compared["runs"]] == [9_900, 9_800, 9_920, 9_960]


def test_accuracies_that_say_nothing_of_each_other_are_not_compared(keraport, make_run, tmp_path):
    base = make_run("base")
    record = json.loads((tmp_path / base / "run.json").read_text())
    (tmp_path / "runs" / "other").mkdir()
    record["dataset"]["sha256"] = "00" * 32
    (tmp_path / "runs" / "other" / "run.json").write_text(json.dumps(record))
    runs = (base, "runs/other", make_run("values", test=REGRESSION), make_run("stopped", test=None))
    lines = lines_of(keraport("runs", "compare", *runs, cwd=tmp_path))
    start = "the test accuracies cannot be compared, for"
    assert lines[-3:] == [
        f"runs/other against runs/base: {start} they were measured on different data",
        f"runs/values against runs/base: {start} runs/values has no test accuracy",
        f"runs/stopped against runs/base: {start} runs/stopped has no test accuracy",
    ]
    assert "test RMSE - - 0.5 -" in lines


def test_a_run_is_the_same_as_itself(keraport, make_run, tmp_path):
    run = make_run("base")
    lines = lines_of(keraport("runs", "compare", run, run, cwd=tmp_path))
    assert lines[1] == "settings the same the same"
    assert "within the noise" in lines[-2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("list", "--runs", "nowhere"), "there is no folder nowhere"),
        (("show", "nowhere"), "name a run directory"),
        (("show", "runs/bad"), "has schema_version 99"),
        (("compare", "runs/good"), "name two or more"),
        (("compare", "runs/good", "runs/bad"), "has schema_version 99"),
        (("compare",), "Missing argument"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_wrong_usage_says_what_to_do(keraport, make_run, tmp_path, arguments, message, options):
    make_run("good")
    (tmp_path / "runs" / "bad").mkdir()
    (tmp_path / "runs" / "bad" / "run.json").write_text('{"schema_version": 99}')
    result = keraport("runs", *arguments, *options, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr
