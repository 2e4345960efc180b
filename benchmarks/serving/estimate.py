"""How long a benchmark will take."""

from collections.abc import Mapping

from benchmarks.serving.plan import (
    CAPACITY_SHARE,
    OURS,
    ROW_SECONDS,
    STREAM_IN_FLIGHT,
    WAYS,
    Plan,
    bare_s,
    queue_s,
    warm_up_s,
)
from benchmarks.serving.results import Cell
from benchmarks.serving.servers import SERVERS, Kind, Server

# What a step takes beside what it measures: processes that start, settle and end.
LOAD_S, PACED_S, STREAMED_S, BARE_S, COMMANDS_S = 0.25, 0.8, 0.9, 0.4, 0.6
# Of a start until all is checked and the end, by server, and of the idle second afterwards.
STARTS_S: Mapping[str, float] = {"ray": 8.0, "bentoml": 2.5, "litserve": 2.5}
START_S, CHECK_S = 1.0, 1.2


class Estimate:
    """Seconds of a plan's steps, with all that is around them."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    @property
    def total_s(self) -> float:
        """All steps together."""
        return sum(self._stage_s(model, workers) for model, workers in self._plan.stages)

    def start_s(self, server: str, model: str) -> float:
        """Starts of a server, and its end."""
        often = 1 if server in STARTS_S else self._plan.starts_of(model)
        return often * STARTS_S.get(server, START_S) + CHECK_S

    def load_s(self, server: Server, cell: Cell) -> float:
        """One load, and the time in which a server ends what nobody waits for any more."""
        drain_s = 0.0 if server.kind is Kind.LIMIT else queue_s(cell) / 2
        return warm_up_s(server, cell) + self._plan.seconds_of(server, cell) + drain_s + LOAD_S

    def bare_s(self, cell: Cell) -> float:
        """One run of the onnxruntime loop."""
        return bare_s(cell) + BARE_S

    def paced_s(self, model: str) -> float:
        """One open loop."""
        rate = CAPACITY_SHARE / ROW_SECONDS[model]
        return self._plan.paced_s(rate) + PACED_S

    def streamed_s(self, cell: Cell) -> float:
        """One closed loop of the Python client."""
        return self._plan.streamed_s(cell) + queue_s(cell) + STREAMED_S

    @property
    def commands_s(self) -> float:
        """The commands that are timed."""
        return COMMANDS_S * (self._plan.rounds + 1)

    def _stage_s(self, model: str, workers: int) -> float:
        names, rounds = self._plan.servers, self._plan.rounds
        starts = sum(self.start_s(name, model) for name in names)
        loads = sum(
            self.bare_s(cell)
            + sum(self.load_s(SERVERS[name], cell) for name in self._plan.servers_of(cell, names))
            for cell in self._plan.cells(model, workers)
        )
        paced = sum(len(self._plan.arrivals_of(name, model, workers)) for name in names) * self.paced_s(model)
        ours = 0.0
        if OURS in names:
            cells = [Cell(model=model, workers=workers, rows=1, in_flight=load) for load in STREAM_IN_FLIGHT]
            ours = len(WAYS) * sum(self.streamed_s(cell) for cell in cells)
        commands = self.commands_s if model == "default" and OURS in names else 0.0
        return starts + rounds * (loads + paced + ours) + commands
