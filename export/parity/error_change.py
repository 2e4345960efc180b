"""Outputs of values: how much the error grows, or how far the candidate strays, in the worst column."""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.parity.bootstrap import Floats, percentile_interval, resampled_sums
from export.parity.bounds import samples_for_width
from export.parity.distance import FEW_COLUMNS, LARGEST, columns_of, lower_median
from export.verdict import ErrorChange

ONE_SIDED = 0.05
FEWEST_SAMPLES = 30  # below it the percentile bounds of a bootstrap are far too narrow to decide on
BOOTSTRAPPED = 16  # columns at most: those that normal approximations name as the worst
ROUNDING = 1e-7  # of the middle column: what float32 cannot hold apart
CONSTANT = 1e-6  # of a column's size: a spread below it is rounding
SHARE_OF_LIMIT = 0.1  # of a constant column's size, times the limit: what counts as unchanged


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Columns:
    """What is measured of each column.

    Attributes:
        scales: (columns,) what all else was divided by.
        first: (samples, columns) squares of the reference's error, or of its spread.
        second: the same of the candidate's error, or of its distance.
        constant: (columns,) mean square of the best constant answer's error; None without targets.
        unchanged: (columns,) 1 where errors are compared, 0 where a distance is measured.
        floors: (columns,) the least root mean square that a change is measured by.
    """

    scales: Floats
    first: Floats
    second: Floats
    constant: Floats | None
    unchanged: Floats
    floors: Floats


def measure_error(
    reference: NDArray[Any],
    candidate: NDArray[Any],
    targets: NDArray[Any] | None,
    limit_percent: float | None,
) -> ErrorChange:
    """The relative increase of the root mean squared error; without targets, the relative distance.

    The relative distance is RMS(candidate - reference) / RMS(reference - its mean over the samples, element
    by element): the inverse of a signal-to-noise ratio. Bounds are percentiles of a bootstrap by sample, in
    which those means stay as they are. Every column (last axis) is measured alone; the worst is returned.
    Lower bounds are widened for the number of columns, among which some look bad by chance.

    Args:
        reference: (samples, ...).
        candidate: the same shape.
        targets: the same shape, if known.
        limit_percent: what the tier allows.
    """
    found = _measure_columns(reference, candidate, targets, limit_percent)
    count = found.first.shape[1]
    chosen = _suspects(found) if count > BOOTSTRAPPED else np.arange(count)
    sums = resampled_sums(np.concatenate([found.first[:, chosen], found.second[:, chosen]], axis=1))
    samples = len(found.first)
    changes = []
    for place, column in enumerate(chosen.tolist()):
        unchanged, floor = found.unchanged[column], found.floors[column]
        means = [float(part[:, column].mean()) for part in (found.first, found.second)]
        increase = float(_increase(np.array([means[0]]), np.array([means[1]]), unchanged, floor)[0])
        resampled = _increase(
            sums[:, place] / samples, sums[:, len(chosen) + place] / samples, unchanged, floor
        )
        lower, upper = percentile_interval(resampled, each_side=ONE_SIDED)
        lower = _widened(increase, lower, count)
        scale = float(found.scales[column])  # a plain float, which grows to Inf without a warning
        first, second = (min(math.sqrt(mean) * scale, LARGEST) for mean in means)
        constant = None
        if found.constant is not None and unchanged:
            constant = min(math.sqrt(found.constant[column]) * scale, LARGEST)
        changes.append(
            ErrorChange(
                metric="rmse" if unchanged else "relative distance",
                column=column if count > 1 else None,
                reference=first,
                candidate=second,
                constant=constant,
                increase_percent=_percent(increase),
                increase_lower_percent=_percent(lower),
                increase_upper_percent=_percent(upper),
                limit_percent=limit_percent,
                samples_needed=_samples_needed(
                    100 * increase, 100 * lower, 100 * upper, samples, limit_percent
                ),
            )
        )
    return max(changes, key=_severity)


def _measure_columns(
    reference: NDArray[Any],
    candidate: NDArray[Any],
    targets: NDArray[Any] | None,
    limit_percent: float | None,
) -> _Columns:
    arrays = [reference, candidate] + ([] if targets is None else [targets])
    count = columns_of(reference)
    parts = [array.astype(np.float64).reshape(len(array), -1, count) for array in arrays]
    # Squares of the largest numbers leave float64; a common scale does not change any ratio.
    scales = np.max([np.abs(part).max(axis=(0, 1)) for part in parts], axis=0)
    sizes = np.abs(parts[0]).max(axis=(0, 1))
    scales[scales == 0] = 1
    before, after, *truth = (part / scales for part in parts)
    spread, distance = (_centred(before) ** 2).mean(axis=1), ((after - before) ** 2).mean(axis=1)
    rounding = np.zeros(count)
    if count > 1:
        rounding = ROUNDING * lower_median(sizes) / scales
        limit = (limit_percent or 0) / 100
        still = np.sqrt(spread.mean(axis=0)) <= np.maximum(CONSTANT * sizes / scales, rounding)
        near = np.sqrt(distance.mean(axis=0)) <= SHARE_OF_LIMIT * limit * sizes / scales
        spread[:, still] = 0
        distance[:, still & near] = 0
    first, second, constant = spread, distance, None
    unchanged = np.zeros(count)
    if truth:
        errors, others = (((part - truth[0]) ** 2).mean(axis=1) for part in (before, after))
        constant = (_centred(truth[0]) ** 2).mean(axis=1).mean(axis=0)
        # Targets that a constant answer meets as well show no increase: distance tells more.
        telling = errors.mean(axis=0) < constant
        if not telling.any() or count == 1:
            telling[:] = True
        unchanged[telling] = 1
        first, second = np.where(telling, errors, spread), np.where(telling, others, distance)
    same = np.sqrt(second.mean(axis=0)) <= rounding
    second[:, same] = np.where(unchanged == 1, np.minimum(first, second), 0)[:, same]
    floors = np.zeros(count)
    if count > FEW_COLUMNS:
        for kind in (0, 1):
            of_kind = unchanged == kind
            roots = (np.sqrt(first.mean(axis=0)) * scales)[of_kind]
            floors[of_kind] = lower_median(roots) / scales[of_kind]
    return _Columns(
        scales=scales, first=first, second=second, constant=constant, unchanged=unchanged, floors=floors
    )


def _suspects(found: _Columns) -> NDArray[np.int64]:
    """The columns with the highest bounds, by a normal approximation of their increase."""
    first, second = found.first.mean(axis=0), found.second.mean(axis=0)
    increase = _increase(first, second, found.unchanged, found.floors)
    with np.errstate(divide="ignore", invalid="ignore"):
        # The delta method, of the ratio of two roots of means.
        parts = found.second / second / 2 - found.first / first / 2 * (found.floors <= np.sqrt(first))
        size = np.sqrt(second) / np.maximum(np.sqrt(first), found.floors)
        error = np.nan_to_num(parts.std(axis=0) * size / math.sqrt(len(found.first)), posinf=0.0)
    half = BOOTSTRAPPED // 2
    orders = [np.argsort(-(increase + sign * error), kind="stable")[:half] for sign in (-1.645, 1.645)]
    return np.unique(np.concatenate(orders))


def _widened(increase: float, lower: float, count: int) -> float:
    """A lower bound for one of several columns: Bonferroni's, by the normal distribution's quantiles."""
    if count == 1 or not (math.isfinite(increase) and math.isfinite(lower)):
        return lower
    normal = NormalDist()
    return increase - (increase - lower) * normal.inv_cdf(1 - ONE_SIDED / count) / normal.inv_cdf(
        1 - ONE_SIDED
    )


def _severity(change: ErrorChange) -> tuple[int, float]:
    """Orders columns by the verdict that follows, then by their upper bound."""
    limit = math.inf if change.limit_percent is None else change.limit_percent
    lower, upper = (
        math.inf if end is None else end
        for end in (change.increase_lower_percent, change.increase_upper_percent)
    )
    if change.increase_percent is None:
        return (3 if change.metric == "rmse" else 1), math.inf
    if lower > limit:
        return 3, upper
    if upper > limit:
        return 2, upper
    return 0, upper


def _centred(values: Floats) -> Floats:
    """Values about their mean; exactly 0 for a constant, whose mean alone would be rounded."""
    moved = values - values[0]
    centred: Floats = moved - moved.mean(axis=0)
    return centred


def _increase(first: Floats, second: Floats, unchanged: Any, floor: Any) -> Floats:  # noqa: ANN401
    """How far the second root lies above the first (above 0, for distances), by the first or the floor."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        before, after = np.sqrt(first), np.sqrt(second)
        base = np.maximum(before, floor)
        increase: Floats = np.where(
            floor > before, (after - unchanged * before) / base, after / base - unchanged
        )
    increase[(base == 0) & (after == 0)] = 0
    return increase


def _percent(share: float) -> float | None:
    return 100 * share if math.isfinite(100 * share) else None


def _samples_needed(
    increase: float, lower: float, upper: float, samples: int, limit: float | None
) -> int | None:
    if limit is None:
        return None
    if samples >= FEWEST_SAMPLES and (upper <= limit or lower > limit):
        return None
    bound = upper if increase < limit else lower
    if not math.isfinite(bound) or not math.isfinite(increase):
        return None
    needed = samples_for_width(increase, bound, samples, limit)
    return None if needed is None else max(needed, FEWEST_SAMPLES)
