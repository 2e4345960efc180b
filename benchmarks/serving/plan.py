"""What is measured, in which order, and for how long."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.serving.results import Cell
from benchmarks.serving.servers import SERVERS, Kind, Server

# Of one row's run, about.
ROW_SECONDS: Mapping[str, float] = {"default": 35e-6, "middle": 3e-3, "large": 38e-3}
OURS, SINGLE, PLAIN = "keraport", "keraport-single", "plain"
BUSY = 64  # requests in flight
STREAM_IN_FLIGHT, WAYS = (1, BUSY), ("unary", "stream")
PACED_REQUESTS = 100  # at least, for a p99
CAPACITY_SHARE = 0.7

ALONE_TIMES, QUEUE_TIMES = 3, 2  # how often what is in flight is answered, at least
WARM_UP_S = 0.3
PATIENCE_S = 3.0  # loads whose requests would wait for longer are left out
PEER_PATIENCE_S = 1.6  # of the servers below, for requests of several rows
BARE_S, BARE_RUNS = 1.0, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One benchmark.

    Attributes:
        models: that are served, one after the other.
        servers: that are compared.
        loads: requests in flight.
        rows: of each request.
        workers: processes that answer.
        seconds: of each load on keraport, the plain servicer and the limits of the default model; half of
            them on the others, whose differences are larger.
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
        """The loads on a model, without those whose requests would wait for longer than anyone does."""
        cells = (
            Cell(model=model, workers=workers, rows=rows, in_flight=in_flight)
            for rows in self.rows
            for in_flight in self.loads
        )
        return tuple(cell for cell in cells if cell.in_flight == 1 or queue_s(cell) <= PATIENCE_S)

    def servers_of(self, cell: Cell, running: tuple[str, ...]) -> tuple[str, ...]:
        """Those that a load is put on: where the session is what takes long, all others are alike."""
        slow = cell.rows > 1 and cell.in_flight > 1 and queue_s(cell) > PEER_PATIENCE_S
        return tuple(name for name in running if not slow or _weight(SERVERS[name], cell) == 1)

    def seconds_of(self, server: Server, cell: Cell) -> float:
        """How long a load is measured: all that is in flight, so often that the rate is known."""
        weight = _weight(server, cell)
        if server.kind is Kind.LIMIT:
            return self.seconds * weight
        often = ALONE_TIMES if cell.in_flight == 1 else QUEUE_TIMES * weight
        return max(self.seconds * weight, often * queue_s(cell))

    def arrivals_of(self, name: str, model: str, workers: int) -> tuple[str, ...]:
        """The open loops on a server: over one connection, which reaches one worker."""
        server = SERVERS[name]
        if server.kind is Kind.LIMIT or name == SINGLE or not server.wire.grpc or workers > 1:
            return ()
        if name in (OURS, PLAIN):
            return ("even", "random")
        return () if model == "large" else ("random",)

    def paced_s(self, rate: float) -> float:
        """How long an open loop is measured."""
        return max(self.seconds, PACED_REQUESTS / rate)

    def streamed_s(self, cell: Cell) -> float:
        """How long the Python client asks in a closed loop."""
        return max(self.seconds / 2, 2 * queue_s(cell))

    def starts_of(self, model: str) -> int:
        """How often a server is started, unless it takes long."""
        return self.rounds if model == self.models[0] else 1

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


def warm_up_s(server: Server, cell: Cell) -> float:
    """How long a load runs before it is measured: until all that was in flight first is answered."""
    return WARM_UP_S + (0.0 if server.kind is Kind.LIMIT else queue_s(cell))


def bare_s(cell: Cell) -> float:
    """How long the onnxruntime loop runs."""
    return max(BARE_S, BARE_RUNS * cell.rows * ROW_SECONDS[cell.model])


def _weight(server: Server, cell: Cell) -> float:
    """The share of a load's seconds that a server gets: all of it where a goal rests on its figure."""
    if server.name in (OURS, SINGLE, PLAIN):
        return 1.0
    if server.kind is Kind.LIMIT:  # they know no model: only the bodies' sizes differ
        return 1.0 if cell.model == "default" or cell.in_flight == 1 else 0.5
    return 0.5
