"""What is measured, and in which order."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.serving.results import Cell

# Of one row's run, about. Loads that would hardly be answered are left out, slow ones measured for longer.
ROW_SECONDS: Mapping[str, float] = {"default": 35e-6, "middle": 3e-3, "large": 40e-3}
QUEUES = 5  # how many times all that is in flight should be answered, at least
WARM_UP_S = 0.5


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
        """The loads on a model, without those whose requests would wait for longer than `seconds`."""
        cells = (
            Cell(model=model, workers=workers, rows=rows, in_flight=in_flight)
            for rows in self.rows
            for in_flight in self.loads
        )
        return tuple(cell for cell in cells if cell.in_flight == 1 or queue_s(cell) <= self.seconds)

    def seconds_of(self, cell: Cell) -> float:
        """How long a load is measured: a server that batches answers all that is in flight at once."""
        return max(self.seconds, QUEUES * queue_s(cell))

    @property
    def estimate_s(self) -> float:
        """What all loads take, without starts, and without open loops and streams."""
        cells = [cell for model, workers in self.stages for cell in self.cells(model, workers)]
        each = sum(self.seconds_of(cell) + warm_up_s(cell) for cell in cells)
        return each * self.rounds * (len(self.servers) + 1)

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


def queue_s(cell: Cell) -> float:
    """How long one worker takes for all that is in flight, as far as the model is what takes time."""
    return cell.rows * cell.in_flight * ROW_SECONDS[cell.model]


def warm_up_s(cell: Cell) -> float:
    """How long a load runs before it is measured."""
    return WARM_UP_S + 2 * queue_s(cell)
