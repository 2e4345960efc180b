"""What was measured: every round as it was, and what the table says of it."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.serving.h2load import Load


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One load on one server.

    Attributes:
        server: its name.
        model: that it served.
        workers: processes that answered.
        rows: of each request.
        in_flight: requests at the same time.
        round: counted from 1.
        load: what was answered.
        cores: of CPU time that the server took, in seconds a second.
    """

    server: str
    model: str
    workers: int
    rows: int
    in_flight: int
    round: int
    load: Load
    cores: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bare:
    """The onnxruntime loop.

    Attributes:
        model: that ran.
        rows: of each run.
        round: counted from 1.
        rows_per_s: of one thread.
        run_ms: median of one run.
    """

    model: str
    rows: int
    round: int
    rows_per_s: float
    run_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A server's start.

    Attributes:
        server: its name.
        model: that it served.
        workers: processes that answer.
        start_s: until its first answer.
        resident_mib: of each of its processes, after the load.
    """

    server: str
    model: str
    workers: int
    start_s: float
    resident_mib: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Some rounds of the same.

    Attributes:
        median: of them.
        spread: half of the range between the extremes, as a share of the median.
        rounds: how many.
    """

    median: float
    spread: float
    rounds: int


def summary(values: Iterable[float]) -> Summary:
    """Of at least one value, none of them negative."""
    ordered = sorted(values)
    middle = statistics.median(ordered)
    spread = (ordered[-1] - ordered[0]) / 2 / middle if middle else 0.0
    return Summary(median=middle, spread=spread, rounds=len(ordered))


def ratio(measured: Sequence[float], against: Sequence[float]) -> Summary:
    """How rounds that alternated compare: the summary of the ratios of each pair, not the ratio of medians."""
    return summary(one / other for one, other in zip(measured, against, strict=True))
