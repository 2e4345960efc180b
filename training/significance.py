"""Whether the test accuracies of two runs differ by more than chance."""

import math
from dataclasses import dataclass
from enum import StrEnum

from training.metrics import wilson_interval
from training.record import RunRecord


class Finding(StrEnum):
    """What the interval of the difference says of a run against the baseline."""

    BETTER = "better"
    WORSE = "worse"
    WITHIN_NOISE = "within noise"
    NOT_COMPARABLE = "not comparable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A run's test accuracy less the baseline's.

    Attributes:
        run, baseline: their paths.
        difference: as a share, -1 to 1; None if they are not comparable.
        low, high: ends of its 95 % interval.
        statement: the same for people, in one line.
    """

    run: str
    baseline: str
    finding: Finding
    statement: str
    difference: float | None = None
    low: float | None = None
    high: float | None = None


def newcombe_interval(first: tuple[int, int], second: tuple[int, int]) -> tuple[float, float]:
    """95 % interval of the difference of two independent proportions, the first less the second.

    R. G. Newcombe (1998), Statistics in Medicine 17, 873-890, method 10: the Wilson intervals' distances from
    their proportions, added in quadrature; no continuity correction.

    Args:
        first: successes and trials, at least 1.
        second: likewise.

    Returns:
        Lower and upper end, -1 to 1.
    """
    (share_1, low_1, high_1), (share_2, low_2, high_2) = (
        (successes / trials, *wilson_interval(successes, trials)) for successes, trials in (first, second)
    )
    difference = share_1 - share_2
    return (
        difference - math.hypot(share_1 - low_1, high_2 - share_2),
        difference + math.hypot(high_1 - share_1, share_2 - low_2),
    )


def judge_difference(run: str, record: RunRecord, baseline: str, base: RunRecord) -> Difference:
    """Judge by the interval for independent samples, for a record holds no answers to pair.

    On one and the same test set two models tend to miss the same samples, so the interval is wide rather
    than narrow.
    """
    counts, base_counts = _counts(record), _counts(base)
    reason = None
    if counts is None or base_counts is None:
        reason = f"{run if counts is None else baseline} has no test accuracy"
    elif record.dataset.sha256 != base.dataset.sha256 or counts[1] != base_counts[1]:
        reason = "they were measured on different data"
    if counts is None or base_counts is None or reason:
        return Difference(
            run=run,
            baseline=baseline,
            finding=Finding.NOT_COMPARABLE,
            statement=f"{run} against {baseline}: the test accuracies cannot be compared, for {reason}",
        )
    low, high = newcombe_interval(counts, base_counts)
    finding = Finding.BETTER if low > 0 else Finding.WORSE if high < 0 else Finding.WITHIN_NOISE
    meaning = "within the noise, neither run is shown to be the better one"
    if finding is not Finding.WITHIN_NOISE:
        meaning = f"beyond the noise, {run} is {finding}"
    difference = counts[0] / counts[1] - base_counts[0] / base_counts[1]
    return Difference(
        run=run,
        baseline=baseline,
        finding=finding,
        statement=f"{run} against {baseline}: test accuracy {100 * difference:+.2f} points, 95 % interval "
        f"{100 * low:+.2f} to {100 * high:+.2f}: {meaning}",
        difference=difference,
        low=low,
        high=high,
    )


def _counts(record: RunRecord) -> tuple[int, int] | None:
    """Right answers and samples of the test split."""
    if record.test is None or record.test.correct is None:
        return None
    return record.test.correct, record.test.samples
