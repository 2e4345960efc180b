"""Medians, spreads and ratios of rounds."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Some rounds of the same.

    Attributes:
        median: of them.
        spread: half of the range between the extremes, as a share of the median.
    """

    median: float
    spread: float


def summary(values: Iterable[float]) -> Summary:
    """Of at least one value, none of them negative."""
    ordered = sorted(values)
    middle = statistics.median(ordered)
    return Summary(median=middle, spread=(ordered[-1] - ordered[0]) / 2 / middle if middle else 0.0)


def ratio(measured: Sequence[float], against: Sequence[float]) -> Summary:
    """How rounds that alternated compare: of each pair's ratio, for what slows a round slows both."""
    return summary(one / other for one, other in zip(measured, against, strict=True))
