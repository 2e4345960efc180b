"""What the times of a model's first runs say: how large its batches shall be, and which runs are short."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from serving.joining import padded_rows
from serving.settings import ModelSettings

# A hop to a thread and back costs 0.05 to 0.1 ms, more than a small model's whole run. A run on the loop
# delays every other request of the process by its length, and leaves the other cores without work.
INLINE_SECONDS = 0.0003

# What a batch costs beside its run: it is joined, handed to a thread, and its answers are handed out.
BATCH_SECONDS = 0.0003

# Of two sizes whose rows cost nearly the same the smaller answers sooner and holds less memory.
TOLERANCE = 0.02

# After so many larger sizes without a gain no larger one is tried; after one if its run is long, after any
# number while runs are short.
VAIN_SIZES = 2
SHORT_SECONDS = 0.005
LONG_SECONDS = 0.05
LEARNING_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a model is best run.

    Attributes:
        batch_rows: up to which batches shall be formed.
        batch_s: seconds of a run of so many.
        inline_rows: of the largest run that is short enough for the event loop; 0 if none is.
        gain_s: that a full batch spares each of its rows.
    """

    batch_rows: int
    batch_s: float
    inline_rows: int
    gain_s: float

    @property
    def gain(self) -> float:
        """The share of a single row's time that a full batch spares."""
        return self.gain_s / (self.gain_s + self.batch_s / self.batch_rows)


def learn(seconds_of: Callable[[int], float], settings: ModelSettings) -> Pace:
    """Time runs of growing batches, until a row gets no cheaper; no others than batches may come to have.

    Args:
        seconds_of: runs a batch of so many rows.
        settings: of batches; where they say `batch_rows`, that holds.
    """
    seconds: dict[int, float] = {}
    for rows in _sizes(settings):
        seconds[rows] = seconds_of(rows)
        if settings.batch_rows is None and _enough(seconds):
            break
    batch_rows = settings.batch_rows or _paying(seconds)
    batch_s = seconds[padded_rows(batch_rows, settings.padding_buckets)]
    # Time is taken to grow in proportion to the rows, at worst.
    inline = (int(rows * INLINE_SECONDS / each) for rows, each in seconds.items() if each <= INLINE_SECONDS)
    return Pace(
        batch_rows=batch_rows,
        batch_s=batch_s,
        inline_rows=min(settings.max_batch_rows, max(inline, default=0)),
        gain_s=next(iter(seconds.values())) - batch_s / batch_rows,
    )


def _sizes(settings: ModelSettings) -> list[int]:
    """Those of which runs are timed, in ascending order; two rows always, to see that it takes them."""
    rows = [1]
    if settings.batch_rows is not None:
        rows += [settings.batch_rows, min(2, settings.max_batch_rows)]
    else:
        while rows[-1] < settings.max_batch_rows:
            rows.append(min(2 * rows[-1], settings.max_batch_rows))
    return sorted({padded_rows(each, settings.padding_buckets) for each in rows})


def _enough(seconds: Mapping[int, float]) -> bool:
    sizes = list(seconds)
    last_s = seconds[sizes[-1]]
    if sizes == [1] or last_s <= SHORT_SECONDS:
        return False
    vain = len(sizes) - 1 - sizes.index(_paying(seconds))
    return vain >= (1 if last_s > LONG_SECONDS else VAIN_SIZES) or sum(seconds.values()) > LEARNING_SECONDS


def _paying(seconds: Mapping[int, float]) -> int:
    """The smallest size whose rows cost nearly as little as those of the best one."""
    costs = {rows: (each + BATCH_SECONDS) / rows for rows, each in seconds.items()}
    least = min(costs.values())
    return next(rows for rows, cost in costs.items() if cost <= least * (1 + TOLERANCE))
