"""What keraport is held to, and how it stands."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from benchmarks.serving.digest import Digest
from benchmarks.serving.plan import BUSY, OURS, PLAIN, SINGLE
from benchmarks.serving.results import Bare, Cell, Measurement
from benchmarks.serving.summary import Summary, summary

FRONT_LOADS, AIM, FRONT = (8, BUSY), 1.7, "1.7 to 2.4"
MB_OF_MIB = 2**20 / 1e6
EMPTY = ("empty-aio", "empty-sync")
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
        place = f"default model, {cell.in_flight} in flight, {_workers(cell.workers)}"
        limits = {PLAIN: 1.0}
        if cell.in_flight == BUSY:
            limits = {"empty-aio": 0.8, "mlserver": 2.5, "kserve": 2.0, **limits}
        for other, limit in limits.items():
            if value := digest.against(OURS, other, cell, _rate):
                yield Goal(text=f"{place}: requests a second to {other}", value=value, limit=limit)
        if cell.in_flight in FRONT_LOADS and (value := digest.against(OURS, PLAIN, cell, _rate)):
            text = f"{place}: requests a second to plain, the aim (a C++ front's {FRONT})"
            yield Goal(text=text, value=value, limit=AIM)
        if cell.in_flight == 1 and (value := digest.against(OURS, PLAIN, cell, _p50)):
            yield Goal(text=f"{place}: p50 to plain", value=value, limit=1.15, at_least=False)


def _against_bare(digest: Digest) -> Iterator[Goal]:
    for cell in digest.cells:
        place = f"{cell.model} model, rows: {cell.rows}, {cell.in_flight} in flight, {_workers(cell.workers)}"
        best = 1.0 if cell.model == "default" else digest.best_to_own(cell)
        # The loop has one thread: what runs several times side by side would be ahead of it by that alone.
        share = digest.against_bare(SINGLE, cell, partial(_rows_to_bare, best=best))
        if (limit := _share_of_bare(cell)) and share:
            loop = "the bare loop" if cell.model == "default" else "the bare loop at its best"
            yield Goal(text=f"{place}, one session: rows a second to {loop}", value=share, limit=limit)
        for name in EMPTY if cell.in_flight == 1 else ():
            empty = digest.of(name, cell)
            latency = digest.against_bare(OURS, cell, partial(_latency_to_bare, empty=empty))
            if empty and latency:
                text = f"{place}: p50 to the bare run and 1.3 round trips of {name}"
                yield Goal(text=text, value=latency, limit=1.0, at_least=False)


def _rows_to_bare(each: Measurement, bare: Bare, *, best: float) -> float:
    """The loop ran in turn with the server and as many rows; `best` is what other numbers would give."""
    return each.load.rate * each.cell.rows / (bare.rows_per_s * best * each.cell.workers)


def _latency_to_bare(each: Measurement, bare: Bare, *, empty: Mapping[int, Measurement]) -> float:
    """Of a round in which the empty handler failed the ratio is endless."""
    if each.round not in empty:
        return math.inf
    return each.load.p50_ms / (bare.run_ms + 1.3 * empty[each.round].load.p50_ms)


def _share_of_bare(cell: Cell) -> float | None:
    """What is asked under load, where there is one: a single request leaves the session waiting."""
    if cell.in_flight == 1:
        return None
    if cell.model != "default":
        return {"middle": 0.9, "large": 0.97}[cell.model]
    return 0.9 if cell.rows == 32 else None  # noqa: PLR2004  (the goal's)


def _tails(digest: Digest) -> Iterator[Goal]:
    paced = [each for each in digest.results.paced if each.server == OURS]
    for key in dict.fromkeys((each.model, each.workers, each.arrivals) for each in paced):
        these = [each for each in paced if (each.model, each.workers, each.arrivals) == key]
        text = f"{key[0]} model, {_workers(key[1])}, 70 % of the capacity, {key[2]} arrivals: p99 to p50"
        value = summary(each.p99_ms / each.p50_ms for each in these)
        kept = summary(each.kept for each in these).median
        text += "" if kept >= KEPT_UP else f" (client or server kept up with {kept:.0%} alone)"
        yield Goal(text=text, value=value, limit=3.0, at_least=False, sound=kept >= KEPT_UP)


def _footprint(digest: Digest) -> Iterator[Goal]:
    for start in digest.results.starts:
        if (start.server, start.model) != (OURS, "default"):
            continue
        place = f"default model, {_workers(start.workers)}"
        yield Goal(
            text=f"{place}: start to first answer",
            value=summary(start.start_s),
            limit=1.0,
            at_least=False,
            unit=" s",
        )
        yield Goal(
            text=f"{place}: resident memory of the largest process",  # the supervisor is the smallest
            value=Summary(median=max(start.resident_mib) * MB_OF_MIB, spread=0.0),
            limit=150,
            at_least=False,
            unit=" MB",
        )
    for command, limit in {"keraport --help": 0.3, "keraport predict": 0.6}.items():
        if seconds := digest.results.commands.get(command):
            text = f"`{command}`, the whole process"
            yield Goal(text=text, value=summary(seconds), limit=limit, at_least=False, unit=" s")


def _workers(number: int) -> str:
    return f"{number} worker{'s' * (number > 1)}"
