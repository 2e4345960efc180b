"""A whole benchmark: for each model all servers are started, then measured in turn."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from benchmarks.serving import footprint
from benchmarks.serving.errors import BenchmarkError
from benchmarks.serving.estimate import Estimate
from benchmarks.serving.models import prepare
from benchmarks.serving.plan import BUSY, CAPACITY_SHARE, OURS, STREAM_IN_FLIGHT, WAYS, Plan, bare_s
from benchmarks.serving.progress import Progress
from benchmarks.serving.results import Bare, Cell, Failure, Measurement, Paced, Start, Streamed
from benchmarks.serving.servers import SERVERS, Server
from benchmarks.serving.stage import Running, Stage
from benchmarks.serving.summary import summary

BARE = "bare"
SLOW_START_S = 3.0

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
    _start_s: dict[str, tuple[float, ...]] = field(default_factory=dict)
    _estimate: Estimate = field(init=False)
    _progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        """Plan ahead."""
        self._estimate = Estimate(self.plan)
        self._progress = Progress(self._estimate.total_s)

    def run(self) -> None:
        """Measure everything."""
        self._tell(f"this takes about {self._estimate.total_s / 60:.0f} minutes")
        for model, workers in self.plan.stages:
            self._tell(f"{model}, workers: {workers}: starting the servers")
            stage = Stage(
                prepare(model, self.cache), self.plan.rows, workers, self.folder / f"{model}-{workers}"
            )
            with contextlib.ExitStack() as stack:
                servers = self._start(stage, stack)
                self._measure(stage, servers)
                for running in servers.values():
                    name = running.server.name
                    self._attempt(name, model, "the check afterwards", self._check(stage, running))

    def _start(self, stage: Stage, stack: contextlib.ExitStack) -> dict[str, Running]:
        started: dict[str, Running] = {}
        for name in self.plan.servers:
            start = partial(self._start_often, stage, SERVERS[name], stack)
            planned_s = self._estimate.start_s(name, stage.model.name)
            if running := self._attempt(name, stage.model.name, "start", start, planned_s):
                started[name] = running
        return started

    def _start_often(self, stage: Stage, server: Server, stack: contextlib.ExitStack) -> Running:
        """Start a server, the last time to stay; a slow one once."""
        seconds: list[float] = []
        often = self.plan.starts_of(stage.model.name)
        while len(seconds) < often - 1 and max(seconds, default=0.0) < SLOW_START_S:
            with stage.start(server) as running:
                seconds.append(running.process.start_s)
        running = stack.enter_context(stage.start(server))
        seconds.append(running.process.start_s)
        self._start_s[server.name] = tuple(seconds)
        self._tell(f"{server.name} answers rightly after {summary(seconds).median:.2f} s")
        return running

    def _measure(self, stage: Stage, servers: dict[str, Running]) -> None:
        model = stage.model.name
        for cell in self.plan.cells(model, stage.workers):
            for number, name in self.plan.turns((BARE, *self.plan.servers_of(cell, tuple(servers)))):
                if name == BARE:
                    self.bare.append(stage.bare(cell, bare_s(cell), number))
                    self._progress.done(self._estimate.bare_s(cell))
                else:
                    self._load(stage, servers[name], cell, number)
        for number, name in self.plan.turns(tuple(servers)):
            for arrivals in self.plan.arrivals_of(name, model, stage.workers):
                self._pace(stage, servers[name], arrivals, number)
        if OURS in servers:
            self._measure_ours(stage, servers[OURS])

    def _measure_ours(self, stage: Stage, running: Running) -> None:
        for number in range(1, self.plan.rounds + 1):
            for in_flight in STREAM_IN_FLIGHT:
                for way in WAYS:
                    self._stream(stage, running, way, in_flight, number)
        if stage.model.name == "default" and not self.commands:
            self.commands = dict(footprint.measure(running.port, self.plan.rounds))
            self._progress.done(self._estimate.commands_s)

    def _load(self, stage: Stage, running: Running, cell: Cell, number: int) -> None:
        server, what = running.server, f"rows: {cell.rows}, in flight: {cell.in_flight}"
        measured = self._attempt(
            server.name,
            cell.model,
            what,
            lambda: stage.measure(running, cell, self.plan.seconds_of(server, cell), number),
            self._estimate.load_s(server, cell),
        )
        if measured:
            self.measurements.append(measured)
            load = measured.load
            self._tell(
                f"{cell.model}, {what}, round {number}: {server.name} {load.rate:,.0f}/s, "
                f"p50 {load.p50_ms:.2f} ms, p99 {load.p99_ms:.2f} ms"
            )

    def _pace(self, stage: Stage, running: Running, arrivals: str, number: int) -> None:
        name, model = running.server.name, stage.model.name
        rate = CAPACITY_SHARE * self._capacity(stage, running)
        if not rate:
            return
        figures = self._attempt(
            name,
            model,
            f"open loop, {arrivals}",
            lambda: stage.pace(running, arrivals, rate, self.plan.paced_s(rate)),
            self._estimate.paced_s(model),
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
                f"{model}, {rate:,.0f}/s, {arrivals}, round {number}: {name} "
                f"p50 {figures['p50_ms']:.2f}, p99 {figures['p99_ms']:.2f} ms, {figures['kept']:.0%} in time"
            )

    def _capacity(self, stage: Stage, running: Running) -> float:
        """Single rows a second that a server answers to h2load when it is busy; 0 if none."""
        cell = Cell(model=stage.model.name, workers=stage.workers, rows=1, in_flight=BUSY)
        name = running.server.name
        if not any((each.server, each.cell) == (name, cell) for each in self.measurements):
            self._load(stage, running, cell, 1)
        rates = [each.load.rate for each in self.measurements if (each.server, each.cell) == (name, cell)]
        return summary(rates).median if rates else 0.0

    def _stream(self, stage: Stage, running: Running, way: str, in_flight: int, number: int) -> None:
        name, model = running.server.name, stage.model.name
        cell = Cell(model=model, workers=stage.workers, rows=1, in_flight=in_flight)
        figures = self._attempt(
            name,
            model,
            f"{way} calls",
            lambda: stage.ask(running, way, cell, self.plan.streamed_s(cell)),
            self._estimate.streamed_s(cell),
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

    def _check(self, stage: Stage, running: Running) -> Callable[[], bool]:
        def check() -> bool:
            self.starts.append(stage.state(running, self._start_s[running.server.name]))
            stage.verify(running)
            return True

        return check

    def _attempt(
        self, server: str, model: str, what: str, work: Callable[[], Measured], planned_s: float = 0.0
    ) -> Measured | None:
        """Go on without what failed, and say so in the results."""
        try:
            return work()
        except BenchmarkError as error:
            reason = " ".join(str(error).split())[-500:]
            self.failures.append(Failure(server=server, model=model, what=what, reason=reason))
            self._tell(f"FAILED: {server}, {model}, {what}: {reason}")
            return None
        finally:
            self._progress.done(planned_s)

    def _tell(self, text: str) -> None:
        self._progress.tell(text)
