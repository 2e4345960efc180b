"""What was measured: every round as it was."""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.serving.h2load import Load


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What is measured of every server in turn.

    Attributes:
        model: that is served.
        workers: processes that answer.
        rows: of each request.
        in_flight: requests at the same time.
    """

    model: str
    workers: int
    rows: int
    in_flight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One load on one server.

    Attributes:
        server: its name.
        cell: which load.
        round: counted from 1.
        load: what was answered.
        cpu_us: CPU time that the server took, a request.
    """

    server: str
    cell: Cell
    round: int
    load: Load
    cpu_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bare:
    """The onnxruntime loop, in turn with the servers.

    Attributes:
        cell: which load it is compared with; a run has as many rows as one of its requests.
        round: counted from 1.
        rows_per_s: of one thread.
        run_ms: median of one run.
    """

    cell: Cell
    round: int
    rows_per_s: float
    run_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Paced:
    """Requests that came when they came, whatever was answered.

    Attributes:
        server: its name.
        model: that it served.
        workers: processes that answer.
        arrivals: `even` or `random`, the latter as a Poisson process.
        round: counted from 1.
        asked_per_s: that were to come.
        kept: the share of them that was answered in time; less than 1 if server or client did not keep up.
        p50_ms: from when a request was due to its answer.
        p99_ms: likewise.
        failed: requests that were refused.
    """

    server: str
    model: str
    workers: int
    arrivals: str
    round: int
    asked_per_s: float
    kept: float
    p50_ms: float
    p99_ms: float
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """One Python client with so many requests in flight, on a stream or by unary calls.

    Attributes:
        server: its name.
        model: that it served.
        workers: processes that answer.
        way: `stream` or `unary`.
        in_flight: requests at the same time.
        round: counted from 1.
        rate: answers a second.
        p50_ms: median latency.
        p99_ms: what 99 % stay below.
    """

    server: str
    model: str
    workers: int
    way: str
    in_flight: int
    round: int
    rate: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A server's start and what it holds.

    Attributes:
        server: its name.
        model: that it served.
        workers: processes that answer.
        start_s: from its start to its first answer, each time that it was started.
        resident_mib: of each of its processes, after all loads.
        idle_cores: of CPU time that it takes when nobody asks, in seconds a second.
    """

    server: str
    model: str
    workers: int
    start_s: tuple[float, ...]
    resident_mib: tuple[float, ...]
    idle_cores: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What could not be measured.

    Attributes:
        server: its name.
        model: that it served.
        what: was being done.
        reason: in a line.
    """

    server: str
    model: str
    what: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """One benchmark.

    Attributes:
        began: UTC.
        minutes: that it took.
        command: its arguments.
        machine: processor, cores, kernel, Python.
        versions: of packages, by server.
        measurements: of closed loops.
        bare: of the onnxruntime loop.
        paced: of open loops.
        streamed: of the Python client.
        starts: of servers.
        commands: whole-process seconds of keraport's commands, each round, by what was run.
        failures: what is missing.
    """

    began: str
    minutes: float
    command: tuple[str, ...]
    machine: Mapping[str, str]
    versions: Mapping[str, Mapping[str, str]]
    measurements: tuple[Measurement, ...]
    bare: tuple[Bare, ...]
    paced: tuple[Paced, ...]
    streamed: tuple[Streamed, ...]
    starts: tuple[Start, ...]
    commands: Mapping[str, tuple[float, ...]]
    failures: tuple[Failure, ...]
