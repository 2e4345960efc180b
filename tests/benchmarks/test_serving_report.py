"""What the serving benchmark says of its results: on the page, in the JSON, of the goals."""

from dataclasses import replace

import msgspec
import pytest

from benchmarks.serving import output, profiles
from benchmarks.serving.digest import Digest
from benchmarks.serving.goals import goals
from benchmarks.serving.h2load import Load
from benchmarks.serving.profiles import Profile, Profiles
from benchmarks.serving.results import Bare, Cell, Failure, Measurement, Paced, Results, Start, Streamed
from benchmarks.serving.tables import tables


def measured(server: str, rate: int, number: int, cell: Cell) -> Measurement:
    load = Load(
        seconds=1,
        requests=rate,
        answered=rate,
        failed=0,
        answer_bytes=1,
        p50_ms=1000 / rate,
        p99_ms=2000 / rate,
    )
    return Measurement(server=server, cell=cell, round=number, load=load, cpu_us=1.0)


@pytest.fixture
def results() -> Results:
    """Two rounds, of which the second was slow for all."""
    cells = [
        Cell(model="default", workers=1, rows=rows, in_flight=load) for rows in (1, 32) for load in (1, 64)
    ]
    rates = {
        "keraport": (900, 450),
        "keraport-single": (900, 450),
        "empty-aio": (1000, 500),
        "plain": (600, 300),
        "mlserver": (300, 150),
    }
    paced = {"server": "keraport", "model": "default", "workers": 1, "round": 1, "asked_per_s": 100.0}
    return Results(
        began="2026-01-01T00:00:00+00:00",
        minutes=1.0,
        command=("--rounds", "2"),
        machine={"processor": "any", "cores": "2"},
        versions={"keraport": {"grpcio": "1.80.0"}},
        measurements=tuple(
            measured(server, pair[number - 1], number, cell)
            for cell in cells
            for number in (1, 2)
            for server, pair in rates.items()
        ),
        bare=tuple(
            Bare(cell=cell, round=number, rows_per_s=32_000.0 / number, run_ms=0.03)
            for cell in cells
            for number in (1, 2)
        ),
        paced=(
            Paced(**paced, arrivals="even", kept=1.0, p50_ms=1.0, p99_ms=2.0, failed=0),
            Paced(**paced, arrivals="random", kept=0.5, p50_ms=1.0, p99_ms=2.0, failed=0),
        ),
        streamed=(
            Streamed(
                server="keraport",
                model="default",
                workers=1,
                way="stream",
                in_flight=64,
                round=1,
                rate=10.0,
                p50_ms=1.0,
                p99_ms=2.0,
            ),
        ),
        starts=(
            Start(
                server="keraport",
                model="default",
                workers=1,
                start_s=(0.8, 0.9),
                resident_mib=(40.0, 110.0),
                idle_cores=0.0,
            ),
        ),
        commands={"keraport --help": (0.1, 0.2), "keraport predict": (0.7, 0.8)},
        failures=(Failure(server="ray", model="default", what="start", reason="it did not"),),
    )


def test_goals_say_what_was_reached(results: Results):
    found = {goal.text: goal for goal in goals(Digest(results=results))}
    busy = found["default model, 64 in flight, 1 worker: requests a second to empty-aio"]
    assert busy.value.median == 0.9
    assert busy.value.spread == 0  # the slow round was slow for both
    assert busy.met
    assert found["default model, 64 in flight, 1 worker: requests a second to mlserver"].met
    bare = found[
        "default model, rows: 32, 64 in flight, 1 worker, one session: rows a second to the bare loop"
    ]
    assert bare.value.median == 0.9
    assert bare.met
    assert found["default model, 1 worker: start to first answer"].met
    assert found["`keraport --help`, the whole process"].met
    assert not found["`keraport predict`, the whole process"].met


def test_large_models_are_held_to_the_loop_at_its_best(results: Results):
    cells = [Cell(model="middle", workers=1, rows=rows, in_flight=8) for rows in (1, 32)]
    bare = tuple(
        Bare(cell=cell, round=1, rows_per_s=rows_per_s, run_ms=1.0)
        for cell, rows_per_s in zip(cells, (400.0, 200.0), strict=True)
    )
    measurements = tuple(measured("keraport-single", 320 // cell.rows, 1, cell) for cell in cells)
    digest = Digest(results=replace(results, bare=bare, measurements=measurements))
    shares = {goal.text: goal.value.median for goal in goals(digest) if "at its best" in goal.text}
    assert list(shares.values()) == [0.8, 0.8]


def test_the_aim_is_a_row_of_its_own_where_it_was_measured(results: Results):
    aims = [goal for goal in goals(Digest(results=results)) if "aim" in goal.text]
    assert [(goal.value.median, goal.limit, goal.met) for goal in aims] == [(1.5, 1.7, False)]


def test_a_tail_of_an_open_loop_that_was_not_kept_up_with_meets_nothing(results: Results):
    tails = {goal.text: goal.met for goal in goals(Digest(results=results)) if "arrivals" in goal.text}
    assert list(tails.values()) == [True, False]
    assert "50%" in list(tails)[1]


def test_results_are_read_as_they_were_written(results: Results, tmp_path):
    output.write(results, tmp_path)
    assert output.read(tmp_path / "serving.json") == results
    assert (tmp_path / "serving.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["serving.json", "serving.md", "serving.png"]


def test_the_page_has_all_tables_and_what_is_missing(results: Results):
    digest = Digest(results=results)
    page = output.page(digest)
    assert all(f"## {table.title}\n" in page for table in tables(digest))
    assert "- ray, default, start: it did not" in page
    widths = {len(row) for table in tables(digest) for row in table.rows if len(row) != len(table.header)}
    assert not widths


def test_a_profile_divides_the_time_of_python_s_threads_among_the_rooms(tmp_path):
    found = Profiles(
        began="2026-01-01T00:00:00+00:00",
        machine={"cores": "2"},
        versions={"grpcio": "1.80.0"},
        python_threads=("Python: main thread",),
        profiles=(
            Profile(
                model="default",
                rows=1,
                in_flight=64,
                rate=1000.0,
                p50_ms=1.0,
                threads_us={"Python: main thread": 80.0, "gRPC: event_engine": 20.0, "gRPC: timer": 0.0},
                samples=100,
                rooms={"onnxruntime's run": 0.25, "event loop": 0.75},
                leaves=(("event loop", "epoll_ctl", 0.5),),
                objects={"python: cygrpc": 0.1},
            ),
        ),
    )
    profiles.write(found, tmp_path)
    page = (tmp_path / "profile.md").read_text(encoding="utf-8")
    assert "| onnxruntime's run | 20%, 20.0 µs |" in page
    assert "| event loop | 60%, 60.0 µs |" in page
    assert "| gRPC: event_engine | 20%, 20.0 µs |" in page
    assert "timer" not in page
    assert msgspec.json.decode((tmp_path / "profile.json").read_bytes(), type=Profiles) == found
