"""What a server counts, in one process; several processes' counts add up.

It is Triton's arithmetic, so that dashboards and `ModelStatistics` say what their users expect: a request's
times are its batch's, counted once for every request of it; a batch size's times are counted once a run.
Counts are changed in one thread, the event loop's.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable
from enum import StrEnum

import msgspec

# Upper, inclusive bounds of the histograms of seconds, about 1.6 times apart where most requests are; what is
# longer has a bucket, too.
BOUNDS_S = (
    *(0.0005, 0.001, 0.0015, 0.0025, 0.004, 0.006, 0.01, 0.015, 0.025, 0.04, 0.06),
    *(0.1, 0.15, 0.25, 0.4, 0.6, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)

# A server may see new versions for months: counts of those that are served no more are kept for so many.
MAX_RETIRED = 64


class Reason(StrEnum):
    """Why a request was not answered, in Triton's words."""

    REJECTED = "REJECTED"  # the queue was full, the wait too long, or the server was stopping
    CANCELED = "CANCELED"  # the client did not wait for the answer
    BACKEND = "BACKEND"  # the model failed
    OTHER = "OTHER"  # what it asked for was not what the model takes, or anything else


class BatchRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a model.

    Attributes:
        rows: of the batch, without padding.
        input_s: seconds that went into joining its requests.
        infer_s: that the model took.
        output_s: that went into handing the rows out.
    """

    rows: int
    input_s: float
    infer_s: float
    output_s: float


class BatchCounts(msgspec.Struct, kw_only=True):
    """What is counted of the runs with one number of rows; `BatchRun` says what the times are."""

    runs: int = 0
    input_s: float = 0.0
    infer_s: float = 0.0
    output_s: float = 0.0


def _no_times() -> list[int]:
    return [0] * (len(BOUNDS_S) + 1)


class ModelCounts(msgspec.Struct, kw_only=True):
    """What is counted of one version of a model; times in seconds, counts since the server's start.

    Attributes:
        model: its name.
        version: as the protocol carries it.
        succeeded: requests that were answered.
        succeeded_s: that these took, from their arrival to the answer.
        failed: requests that were not, by reason.
        failed_s: that those took.
        rows: that were answered.
        runs: of the model.
        queue_s: that answered requests waited for their batch.
        input_s: that the joining of its requests took, for each of them; so are the next two.
        infer_s: that the model took.
        output_s: that went into handing the rows out.
        latencies: answered requests by their time, a number for each bound of `BOUNDS_S` and one beyond them.
        waits: the same by the time in the queue.
        batches: number of rows to what was counted of runs with it.
        last_s: when a request was last answered, in seconds since 1970; 0 for never.
        pending: requests that wait now.
        ready: processes that serve it now.
    """

    model: str
    version: str
    succeeded: int = 0
    succeeded_s: float = 0.0
    failed: dict[Reason, int] = {}
    failed_s: float = 0.0
    rows: int = 0
    runs: int = 0
    queue_s: float = 0.0
    input_s: float = 0.0
    infer_s: float = 0.0
    output_s: float = 0.0
    latencies: list[int] = msgspec.field(default_factory=_no_times)
    waits: list[int] = msgspec.field(default_factory=_no_times)
    batches: dict[int, BatchCounts] = {}
    last_s: float = 0.0
    pending: int = 0
    ready: int = 0

    def add_success(self, *, rows: int, total_s: float, queue_s: float, run: BatchRun) -> None:
        """Count a request that was answered, with the run that answered it."""
        self.succeeded += 1
        self.succeeded_s += total_s
        self.rows += rows
        self.queue_s += queue_s
        self.input_s += run.input_s
        self.infer_s += run.infer_s
        self.output_s += run.output_s
        self.latencies[bisect_left(BOUNDS_S, total_s)] += 1
        self.waits[bisect_left(BOUNDS_S, queue_s)] += 1
        self.last_s = time.time()

    def add_failure(self, reason: Reason, *, total_s: float) -> None:
        """Count one that was not."""
        self.failed[reason] = self.failed.get(reason, 0) + 1
        self.failed_s += total_s

    def add_run(self, run: BatchRun) -> None:
        """Count a run of the model."""
        self.runs += 1
        batch = self.batches.get(run.rows)
        if batch is None:
            batch = self.batches[run.rows] = BatchCounts()
        batch.runs += 1
        batch.input_s += run.input_s
        batch.infer_s += run.infer_s
        batch.output_s += run.output_s


class Statistics:
    """The counts of all models of a process."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], ModelCounts] = {}
        self._pending: dict[tuple[str, str], list[Callable[[], int]]] = {}

    def of(self, model: str, version: str) -> ModelCounts:
        """The counts of one version, made when it is first asked for."""
        counts = self._counts.get((model, version))
        if counts is None:
            counts = self._counts[model, version] = ModelCounts(model=model, version=version)
        return counts

    def serve(self, model: str, version: str, pending: Callable[[], int]) -> ModelCounts:
        """The counts of a version that is served from now on; `pending` tells how many requests wait.

        A version may be served twice for a while, when it is loaded anew.
        """
        self._pending.setdefault((model, version), []).append(pending)
        return self.of(model, version)

    def retire(self, model: str, version: str, pending: Callable[[], int]) -> None:
        """Undo `serve`; the counts stay until many other versions have been retired."""
        key = (model, version)
        self._pending[key].remove(pending)
        if self._pending[key]:
            return
        del self._pending[key]
        self._counts[key] = self._counts.pop(key)  # the last retired comes last
        retired = [each for each in self._counts if each not in self._pending]
        for each in retired[:-MAX_RETIRED]:
            del self._counts[each]

    def snapshot(self) -> tuple[ModelCounts, ...]:
        """All counts, as they are now, in copies that later requests do not change."""
        for key, counts in self._counts.items():
            served = self._pending.get(key, ())
            counts.ready = int(bool(served))
            counts.pending = sum(pending() for pending in served)
        return total([self._counts.values()])


def total(snapshots: Iterable[Iterable[ModelCounts]]) -> tuple[ModelCounts, ...]:
    """The sum of several processes' counts, by name and version."""
    sums: dict[tuple[str, str], ModelCounts] = {}
    for counts in (each for snapshot in snapshots for each in snapshot):
        key = (counts.model, counts.version)
        if key not in sums:
            sums[key] = ModelCounts(model=counts.model, version=counts.version)
        _add(sums[key], counts)
    return tuple(sums[key] for key in sorted(sums, key=lambda key: (key[0], len(key[1]), key[1])))


def settled(snapshot: Iterable[ModelCounts]) -> tuple[ModelCounts, ...]:
    """The last counts of a process that is gone: it serves nothing and nothing waits in it."""
    return tuple(msgspec.structs.replace(counts, pending=0, ready=0) for counts in snapshot)


SUMMED = (
    *("succeeded", "succeeded_s", "failed_s", "rows", "runs", "queue_s", "input_s", "infer_s", "output_s"),
    *("pending", "ready"),
)


def _add(to: ModelCounts, counts: ModelCounts) -> None:
    for name in SUMMED:
        setattr(to, name, getattr(to, name) + getattr(counts, name))
    to.latencies = [mine + its for mine, its in zip(to.latencies, counts.latencies, strict=True)]
    to.waits = [mine + its for mine, its in zip(to.waits, counts.waits, strict=True)]
    to.last_s = max(to.last_s, counts.last_s)
    for reason, failed in counts.failed.items():
        to.failed[reason] = to.failed.get(reason, 0) + failed
    for rows, batch in counts.batches.items():
        mine = to.batches.setdefault(rows, BatchCounts())
        mine.runs += batch.runs
        mine.input_s += batch.input_s
        mine.infer_s += batch.infer_s
        mine.output_s += batch.output_s
