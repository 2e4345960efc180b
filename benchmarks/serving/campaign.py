"""A whole benchmark: for each model all servers are started, then measured in turn."""

import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from benchmarks.serving import footprint
from benchmarks.serving.errors import BenchmarkError
from benchmarks.serving.models import prepare
from benchmarks.serving.plan import Plan
from benchmarks.serving.results import Bare, Cell, Failure, Measurement, Paced, Start, Streamed
from benchmarks.serving.servers import SERVERS, Kind, Server
from benchmarks.serving.stage import Running, Stage
from benchmarks.serving.summary import summary

OURS, BARE = "keraport", "bare"
CAPACITY_SHARE = 0.7
ARRIVALS = ("even", "random")
PACED_REQUESTS = 100  # at least, for a p99
SLOW_START_S = 5.0
BUSY = 64  # requests in flight
STREAM_IN_FLIGHT = (1, BUSY)

Measured = TypeVar("Measured")


@dataclass(slots=True)
class Campaign:
    """Measures, and keeps what was measured.

    Attributes:
        plan: what to do.
        cache: a folder for models that is kept.
        folder: one for the servers' files that is not.
    """

    plan: Plan
    cache: Path
    folder: Path
    measurements: list[Measurement] = field(default_factory=list)
    bare: list[Bare] = field(default_factory=list)
    paced: list[Paced] = field(default_factory=list)
    streamed: list[Streamed] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    commands: dict[str, tuple[float, ...]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    _capacities: dict[tuple[str, str, int], float] = field(default_factory=dict)
    _start_s: dict[str, tuple[float, ...]] = field(default_factory=dict)
    _began: float = field(default_factory=time.monotonic)

    def run(self) -> None:
        """Measure everything."""
        self._tell(f"the loads alone take {self.plan.estimate_s / 60:.0f} minutes")
        for model, workers in self.plan.stages:
            self._tell(f"{model}, workers: {workers}: starting the servers")
            stage = Stage(
                prepare(model, self.cache), self.plan.rows, workers, self.folder / f"{model}-{workers}"
            )
            with contextlib.ExitStack() as stack:
                servers = self._start(stage, stack)
                self._measure(stage, servers)
                for running in servers.values():
                    self._attempt(
                        running.server.name, model, "the check afterwards", self._check(stage, running)
                    )

    def _start(self, stage: Stage, stack: contextlib.ExitStack) -> dict[str, Running]:
        started: dict[str, Running] = {}
        for name in self.plan.servers:
            start = partial(self._start_often, stage, SERVERS[name], stack)
            if running := self._attempt(name, stage.model.name, "start", start):
                started[name] = running
        return started

    def _start_often(self, stage: Stage, server: Server, stack: contextlib.ExitStack) -> Running:
        """Start a server once a round, the last time to stay; a slow one once."""
        seconds: list[float] = []
        while len(seconds) < self.plan.rounds - 1 and max(seconds, default=0.0) < SLOW_START_S:
            with stage.start(server) as running:
                seconds.append(running.process.start_s)
        running = stack.enter_context(stage.start(server))
        seconds.append(running.process.start_s)
        self._start_s[server.name] = tuple(seconds)
        self._tell(f"{server.name} answers rightly after {summary(seconds).median:.2f} s")
        return running

    def _measure(self, stage: Stage, servers: dict[str, Running]) -> None:
        for cell in self.plan.cells(stage.model.name, stage.workers):
            for number, name in self.plan.turns((BARE, *servers)):
                if name == BARE:
                    self.bare.append(stage.bare(cell, self.plan.seconds, number))
                else:
                    self._load(stage, servers[name], cell, number)
        for number, name in self.plan.turns(tuple(servers)):
            if SERVERS[name].kind is not Kind.LIMIT and SERVERS[name].wire.grpc:
                for arrivals in ARRIVALS:
                    self._pace(stage, servers[name], arrivals, number)
        if OURS in servers:
            self._measure_ours(stage, servers[OURS])

    def _measure_ours(self, stage: Stage, running: Running) -> None:
        for number in range(1, self.plan.rounds + 1):
            for in_flight in STREAM_IN_FLIGHT:
                for way in ("unary", "stream"):
                    self._stream(stage, running, way, in_flight, number)
        if stage.model.name == "default" and not self.commands:
            self.commands = dict(footprint.measure(running.port, self.plan.rounds))

    def _load(self, stage: Stage, running: Running, cell: Cell, number: int) -> None:
        what = f"rows: {cell.rows}, in flight: {cell.in_flight}"
        measured = self._attempt(
            running.server.name,
            cell.model,
            what,
            lambda: stage.measure(running, cell, self.plan.seconds_of(cell), number),
        )
        if measured:
            self.measurements.append(measured)
            load = measured.load
            self._tell(
                f"{cell.model}, {what}, round {number}: {running.server.name} {load.rate:,.0f}/s, "
                f"p50 {load.p50_ms:.2f} ms, p99 {load.p99_ms:.2f} ms"
            )

    def _pace(self, stage: Stage, running: Running, arrivals: str, number: int) -> None:
        name, model = running.server.name, stage.model.name
        capacity = self._capacity(stage, running)
        if not capacity:
            return
        rate = CAPACITY_SHARE * capacity
        figures = self._attempt(
            name,
            model,
            f"open loop, {arrivals}",
            lambda: stage.ask(running, arrivals, rate, max(self.plan.seconds, PACED_REQUESTS / rate)),
        )
        if figures:
            self.paced.append(
                Paced(
                    server=name,
                    model=model,
                    workers=stage.workers,
                    arrivals=arrivals,
                    round=number,
                    asked_per_s=rate,
                    **figures,
                )
            )
            self._tell(
                f"{model}, {rate:,.0f}/s, {arrivals}, round {number}: {name} {self.paced[-1].p99_ms:.2f} ms"
            )

    def _capacity(self, stage: Stage, running: Running) -> float:
        """What the client that is to pace itself gets out of a server; 0 if nothing.

        It takes more of the cores than h2load, and so leaves less to the server.
        """
        name, model = running.server.name, stage.model.name
        key = (name, model, stage.workers)
        if key not in self._capacities:
            seconds = self._seconds(stage, BUSY)
            figures = self._attempt(
                name, model, "capacity", lambda: stage.ask(running, "unary", BUSY, seconds)
            )
            self._capacities[key] = figures["rate"] if figures else 0.0
        return self._capacities[key]

    def _stream(self, stage: Stage, running: Running, way: str, in_flight: int, number: int) -> None:
        name, model = running.server.name, stage.model.name
        seconds = self._seconds(stage, in_flight)
        figures = self._attempt(
            name, model, f"{way} calls", lambda: stage.ask(running, way, in_flight, seconds)
        )
        if figures:
            self.streamed.append(
                Streamed(
                    server=name,
                    model=model,
                    workers=stage.workers,
                    way=way,
                    in_flight=in_flight,
                    round=number,
                    **figures,
                )
            )
            self._tell(
                f"{model}, {way}, {in_flight} in flight, round {number}: {name} {figures['rate']:,.0f}/s"
            )

    def _seconds(self, stage: Stage, in_flight: int) -> float:
        """How long single rows are asked for by the Python client."""
        cell = Cell(model=stage.model.name, workers=stage.workers, rows=1, in_flight=in_flight)
        return self.plan.seconds_of(cell)

    def _check(self, stage: Stage, running: Running) -> Callable[[], bool]:
        def check() -> bool:
            self.starts.append(stage.state(running, self._start_s[running.server.name]))
            stage.verify(running)
            return True

        return check

    def _attempt(self, server: str, model: str, what: str, work: Callable[[], Measured]) -> Measured | None:
        """Go on without what failed, and say so in the results."""
        try:
            return work()
        except BenchmarkError as error:
            reason = " ".join(str(error).split())[-500:]
            self.failures.append(Failure(server=server, model=model, what=what, reason=reason))
            self._tell(f"FAILED: {server}, {model}, {what}: {reason}")
            return None

    def _tell(self, text: str) -> None:
        minutes = (time.monotonic() - self._began) / 60
        print(f"[{minutes:5.1f} min] {text}", file=sys.stderr, flush=True)
