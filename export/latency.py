"""How long artifacts take on this CPU: medians of interleaved runs, so that a drift hits all alike."""

import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from export.runner import Feed, Runner

SMALL, LARGE = 1, 32  # samples a call
BUDGET_S = 0.4  # for one artifact and size
MIN_ROUNDS, MAX_ROUNDS = 3, 50
BURST = 3  # calls in a row


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Median wall time of a call, one thread.

    Attributes:
        one_ms: with one sample, milliseconds.
        batch_ms: with 32, milliseconds; of a static batch of one, 32 calls.
    """

    one_ms: float
    batch_ms: float


def time_runners(runners: Sequence[Runner], feed: Feed) -> list[Latency]:
    """Time runners in turn on the first samples of a feed.

    Args:
        runners: open, or to be opened.
        feed: at least one sample; of fewer than 32 the first ones come again.

    Returns:
        One entry a runner.
    """
    count = len(next(iter(feed.values())))
    small = {name: array[:SMALL] for name, array in feed.items()}
    large = {name: array[[index % count for index in range(LARGE)]] for name, array in feed.items()}
    with ExitStack() as stack:
        opened = [stack.enter_context(runner) for runner in runners]
        ones, batches = _medians(opened, small), _medians(opened, large)
    return [Latency(one_ms=one, batch_ms=batch) for one, batch in zip(ones, batches, strict=True)]


def _medians(runners: Sequence[Runner], feed: Feed) -> list[float]:
    slowest_s = max(min(_run_ms(runner, feed) for _ in range(2)) for runner in runners) / 1000
    rounds = min(MAX_ROUNDS, max(MIN_ROUNDS, int(BUDGET_S / (BURST + 1) / max(slowest_s, 1e-6))))
    times: list[list[float]] = [[] for _ in runners]
    for _ in range(rounds):
        for row, runner in zip(times, runners, strict=True):
            runner.run(feed)  # the one before has emptied the caches
            row.extend(_run_ms(runner, feed) for _ in range(BURST))
    return [statistics.median(row) for row in times]


def _run_ms(runner: Runner, feed: Feed) -> float:
    begin = time.perf_counter()
    runner.run(feed)
    return 1000 * (time.perf_counter() - begin)
