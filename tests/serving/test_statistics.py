import subprocess
import sys

import msgspec
import pytest

from serving.statistics import (
    BOUNDS_S,
    MAX_RETIRED,
    BatchRun,
    ModelCounts,
    Reason,
    Statistics,
    settled,
    total,
)

RUN = BatchRun(rows=5, input_s=0.001, infer_s=0.004, output_s=0.0005)


def three() -> int:
    return 3


def answered(statistics: Statistics) -> ModelCounts:
    counts = statistics.serve("digits", "2", three)
    counts.add_run(RUN)
    counts.add_success(rows=2, total_s=0.01, queue_s=0.002, run=RUN)
    counts.add_success(rows=3, total_s=90.0, queue_s=0.0, run=RUN)
    counts.add_failure(Reason.REJECTED, total_s=0.5)
    return counts


def test_requests_share_the_times_of_their_batch_and_a_run_counts_once() -> None:
    counts = answered(Statistics())
    assert (counts.succeeded, counts.rows, counts.runs) == (2, 5, 1)
    assert counts.infer_s == pytest.approx(0.008)
    assert counts.batches[5].infer_s == pytest.approx(0.004)
    assert counts.batches[5].runs == 1
    assert counts.failed == {Reason.REJECTED: 1}
    assert counts.last_s > 1e9


def test_a_time_at_a_bound_is_within_it_and_longer_ones_have_a_bucket() -> None:
    counts = answered(Statistics())
    assert counts.latencies[BOUNDS_S.index(0.01)] == 1
    assert counts.latencies[-1] == 1
    assert counts.waits[0] == 1
    assert counts.waits[BOUNDS_S.index(0.0025)] == 1


def test_a_snapshot_stays_as_it_was() -> None:
    statistics = Statistics()
    counts = answered(statistics)
    (before,) = statistics.snapshot()
    encoded = msgspec.msgpack.encode(before)
    counts.add_success(rows=1, total_s=0.01, queue_s=0.0, run=RUN)
    counts.add_run(RUN)
    counts.add_failure(Reason.REJECTED, total_s=0.0)
    assert msgspec.msgpack.encode(before) == encoded


def test_processes_add_up_and_a_dead_one_counts_but_has_nothing_waiting() -> None:
    first, second, other = Statistics(), Statistics(), Statistics()
    answered(first)
    answered(second).add_failure(Reason.CANCELED, total_s=0.1)
    other.of("digits", "10").add_run(RUN)
    wire = [msgspec.msgpack.encode(each.snapshot()) for each in (first, second, other)]
    alive, dead, third = (msgspec.msgpack.decode(each, type=tuple[ModelCounts, ...]) for each in wire)
    two, ten = total([third, alive, settled(dead)])
    assert (two.version, ten.version) == ("2", "10")
    assert (two.succeeded, two.rows, two.runs, two.pending, two.ready) == (4, 10, 2, 3, 1)
    assert two.failed == {Reason.REJECTED: 2, Reason.CANCELED: 1}
    assert two.batches[5].runs == 2
    assert sum(two.latencies) == sum(two.waits) == 4
    assert (ten.runs, ten.ready) == (1, 0)
    assert dead[0].pending == 3


def test_a_retired_version_keeps_its_counts() -> None:
    statistics = Statistics()
    answered(statistics)
    statistics.retire("digits", "2", three)
    (counts,) = statistics.snapshot()
    assert (counts.succeeded, counts.pending, counts.ready) == (2, 0, 0)


def test_a_version_that_is_loaded_anew_is_ready_until_both_are_retired() -> None:
    statistics = Statistics()
    statistics.serve("digits", "2", three)
    statistics.serve("digits", "2", lambda: 1)
    (counts,) = statistics.snapshot()
    assert (counts.pending, counts.ready) == (4, 1)
    statistics.retire("digits", "2", three)
    (counts,) = statistics.snapshot()
    assert (counts.pending, counts.ready) == (1, 1)


def test_old_versions_are_forgotten_in_the_order_in_which_they_were_retired() -> None:
    statistics = Statistics()
    for version in range(MAX_RETIRED + 3):
        statistics.serve("digits", str(version), three)
    statistics.serve("served", "1", lambda: 0)
    for version in reversed(range(MAX_RETIRED + 3)):
        statistics.retire("digits", str(version), three)
    left = [(counts.model, counts.version) for counts in statistics.snapshot()]
    assert left == [*(("digits", str(version)) for version in range(MAX_RETIRED)), ("served", "1")]


def test_counting_needs_neither_numpy_nor_grpc() -> None:
    program = "import serving.statistics, sys; print({'numpy', 'grpc', 'google'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
