"""What is measured, and in which order."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.serving.results import Cell

# Of one row's run, about: only to leave out loads that no one could answer in the time that is measured.
ROW_SECONDS: Mapping[str, float] = {"default": 35e-6, "middle": 3e-3, "large": 30e-3}
QUEUE_SHARE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One benchmark.

    Attributes:
        models: that are served, one after the other.
        servers: that are compared.
        loads: requests in flight.
        rows: of each request.
        workers: processes that answer.
        seconds: of each load.
        rounds: of everything.
    """

    models: tuple[str, ...]
    servers: tuple[str, ...]
    loads: tuple[int, ...]
    rows: tuple[int, ...]
    workers: tuple[int, ...]
    seconds: float
    rounds: int

    def cells(self, model: str, workers: int) -> tuple[Cell, ...]:
        """The loads on a model, without those whose requests would wait longer than is measured."""
        return tuple(
            Cell(model=model, workers=workers, rows=rows, in_flight=in_flight)
            for rows in self.rows
            for in_flight in self.loads
            if in_flight == 1 or rows * in_flight * ROW_SECONDS[model] <= QUEUE_SHARE * self.seconds
        )

    def turns(self, servers: tuple[str, ...]) -> Iterator[tuple[int, str]]:
        """Round and server, A B C, B C A, …: none is always the first after another model's or load's."""
        for number in range(1, self.rounds + 1):
            first = (number - 1) % len(servers) if servers else 0
            for server in servers[first:] + servers[:first]:
                yield number, server

    @property
    def stages(self) -> tuple[tuple[str, int], ...]:
        """Models and numbers of workers."""
        return tuple((model, workers) for model in self.models for workers in self.workers)
