"""Results looked up: rounds of one server and load as lists, in the order of the rounds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.serving.results import Bare, Cell, Measurement, Results
from benchmarks.serving.summary import Summary, ratio, summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A benchmark's results by server and load."""

    results: Results

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All loads, in the order in which they were measured."""
        return tuple(dict.fromkeys(each.cell for each in self.results.measurements))

    @property
    def servers(self) -> tuple[str, ...]:
        """All servers that answered, in the order in which they were asked first."""
        return tuple(dict.fromkeys(each.server for each in self.results.measurements))

    def of(self, server: str, cell: Cell) -> dict[int, Measurement]:
        """A server's measurements under a load, by round."""
        return {
            each.round: each
            for each in self.results.measurements
            if each.server == server and each.cell == cell
        }

    def rate(self, server: str, cell: Cell) -> Summary | None:
        """Requests a second."""
        return self._summary(server, cell, lambda each: each.load.rate)

    def p50(self, server: str, cell: Cell) -> Summary | None:
        """Median latency, ms."""
        return self._summary(server, cell, lambda each: each.load.p50_ms)

    def p99(self, server: str, cell: Cell) -> Summary | None:
        """What 99 % of the latencies stay below, ms."""
        return self._summary(server, cell, lambda each: each.load.p99_ms)

    def cpu_us(self, server: str, cell: Cell) -> Summary | None:
        """Microseconds of the server's CPU time a request."""
        return self._summary(server, cell, lambda each: each.cpu_us)

    def bare(self, cell: Cell) -> dict[int, Bare]:
        """The onnxruntime loop's figures beside a load, by round."""
        return {each.round: each for each in self.results.bare if each.cell == cell}

    def best_to_own(self, cell: Cell) -> float:
        """The loop's rows a second with as many rows a run as suit the model best, to those of a load."""
        rates = {
            rows: summary(each.rows_per_s for each in self.results.bare if _loop(each) == (cell.model, rows))
            for rows in {each.cell.rows for each in self.results.bare if each.cell.model == cell.model}
        }
        return max(each.median for each in rates.values()) / rates[cell.rows].median if rates else 1.0

    def against_bare(
        self, server: str, cell: Cell, value: Callable[[Measurement, Bare], float]
    ) -> Summary | None:
        """A server's figure in terms of the loop's, of each round."""
        loads, loops = self.of(server, cell), self.bare(cell)
        return _summary([value(loads[each], loops[each]) for each in loads.keys() & loops.keys()])

    def against(
        self, one: str, other: str, cell: Cell, value: Callable[[Measurement], float]
    ) -> Summary | None:
        """The ratios of one server to another, of rounds that both have."""
        first, second = self.of(one, cell), self.of(other, cell)
        rounds = sorted(first.keys() & second.keys())
        if not rounds:
            return None
        return ratio([value(first[each]) for each in rounds], [value(second[each]) for each in rounds])

    def _summary(self, server: str, cell: Cell, value: Callable[[Measurement], float]) -> Summary | None:
        return _summary([value(each) for each in self.of(server, cell).values()])


def _loop(bare: Bare) -> tuple[str, int]:
    return bare.cell.model, bare.cell.rows


def _summary(values: Sequence[float]) -> Summary | None:
    return summary(values) if values else None
