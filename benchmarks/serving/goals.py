"""What keraport is held to, and how it stands."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.serving.digest import Digest
from benchmarks.serving.results import Cell, Measurement
from benchmarks.serving.summary import Summary, summary

OURS = "keraport"
BUSY = 64  # requests in flight
KEPT_UP = 0.95  # of an open loop's requests


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One figure and its limit.

    Attributes:
        text: what is compared.
        value: that was reached.
        limit: that it should reach.
        at_least: whether more is better.
        sound: whether the figure says what it should.
        unit: of both.
    """

    text: str
    value: Summary
    limit: float
    at_least: bool = True
    sound: bool = True
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether it is reached."""
        reached = self.value.median >= self.limit if self.at_least else self.value.median <= self.limit
        return reached and self.sound


def goals(digest: Digest) -> tuple[Goal, ...]:
    """All that can be said with what was measured."""
    return (*_against_servers(digest), *_against_bare(digest), *_tails(digest), *_footprint(digest))


def _rate(each: Measurement) -> float:
    return each.load.rate


def _p50(each: Measurement) -> float:
    return each.load.p50_ms


def _against_servers(digest: Digest) -> Iterator[Goal]:
    """Single rows of the default model."""
    for cell in digest.cells:
        if (cell.model, cell.rows) != ("default", 1):
            continue
        place = f"default model, {cell.in_flight} in flight, {_workers(cell)}"
        limits = {"plain": 1.0}
        if cell.in_flight == BUSY:
            limits = {"empty-aio": 0.8, "mlserver": 2.5, "kserve": 2.0, **limits}
        for other, limit in limits.items():
            if value := digest.against(OURS, other, cell, _rate):
                yield Goal(text=f"{place}: requests a second to {other}", value=value, limit=limit)
        if cell.in_flight == 1 and (value := digest.against(OURS, "plain", cell, _p50)):
            yield Goal(text=f"{place}: latency to plain", value=value, limit=1.15, at_least=False)


def _against_bare(digest: Digest) -> Iterator[Goal]:
    for cell in digest.cells:
        rate, bare = digest.rate(OURS, cell), digest.bare_rows(cell.model, cell.rows)
        place = f"{cell.model} model, {cell.rows} rows, {cell.in_flight} in flight, {_workers(cell)}"
        limit = _share_of_bare(cell)
        if limit and rate and bare:
            of_all = bare.median * cell.workers
            value = Summary(median=rate.median * cell.rows / of_all, spread=rate.spread + bare.spread)
            yield Goal(text=f"{place}: rows a second to the bare loop", value=value, limit=limit)
        ours, empty = digest.p50(OURS, cell), digest.p50("empty-aio", cell)
        run = digest.bare_ms(cell.model, cell.rows)
        if cell.in_flight == 1 and ours and empty and run:
            allowed = run.median + 1.3 * empty.median
            value = Summary(median=ours.median / allowed, spread=ours.spread)
            text = f"{place}: latency to the bare run and 1.3 empty round trips"
            yield Goal(text=text, value=value, limit=1.0, at_least=False)


def _share_of_bare(cell: Cell) -> float | None:
    """What is asked under load, where there is one: a single request leaves the session waiting."""
    if cell.in_flight == 1:
        return None
    if cell.model != "default":
        return {"middle": 0.9, "large": 0.97}[cell.model]
    return 0.9 if cell.rows == 32 else None  # noqa: PLR2004  (the goal's)


def _tails(digest: Digest) -> Iterator[Goal]:
    paced = [each for each in digest.results.paced if each.server == OURS]
    for model, workers, arrivals in dict.fromkeys(
        (each.model, each.workers, each.arrivals) for each in paced
    ):
        these = [
            each for each in paced if (each.model, each.workers, each.arrivals) == (model, workers, arrivals)
        ]
        text = f"{model} model, open loop at 70 % of the capacity, {arrivals} arrivals: p99 to p50"
        value = summary(each.p99_ms / each.p50_ms for each in these)
        kept = summary(each.answered_per_s / each.asked_per_s for each in these).median
        sound = kept >= KEPT_UP
        text += "" if sound else f", but client or server kept up with {kept:.0%} alone"
        yield Goal(text=text, value=value, limit=3.0, at_least=False, sound=sound)


def _footprint(digest: Digest) -> Iterator[Goal]:
    for start in digest.results.starts:
        if (start.server, start.model) == (OURS, "default"):
            value = Summary(median=start.start_s, spread=0.0)
            yield Goal(
                text="default model: start to first answer", value=value, limit=1.0, at_least=False, unit=" s"
            )
            # The supervisor is the smallest of the processes.
            value = Summary(median=max(start.resident_mib), spread=0.0)
            text = f"default model, workers: {start.workers}: resident memory of the largest process"
            yield Goal(text=text, value=value, limit=150, at_least=False, unit=" MB")
    for command, limit in {"keraport --help": 0.3, "keraport predict": 0.6}.items():
        if seconds := digest.results.commands.get(command):
            text = f"`{command}`, the whole process"
            yield Goal(text=text, value=summary(seconds), limit=limit, at_least=False, unit=" s")


def _workers(cell: Cell) -> str:
    return f"{cell.workers} worker" + ("s" if cell.workers > 1 else "")
