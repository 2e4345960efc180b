"""The line before a model: who waits, in which order, and who may run together."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import msgspec

from export.runner import Answer, Feed
from serving.errors import Expired, QueueFull
from serving.joining import joinable
from serving.settings import ModelSettings
from serving.statistics import BatchRun


class Batched(msgspec.Struct, frozen=True, kw_only=True):
    """What a submitter gets.

    Attributes:
        answer: output name to array, one row for each of the feed.
        queue_s: seconds that the feed waited.
        run: the run that it was part of.
    """

    answer: Answer
    queue_s: float
    run: BatchRun


@dataclass(slots=True, eq=False)
class Item:
    """A request that waits.

    Attributes:
        feed: input name to array.
        rows: of the feed.
        bytes: that are held while it waits.
        level: in the line, 0 is served first.
        arrived: on the clock.
        due: from when on it no longer waits for others.
        deadline: on the clock; from then on it must not begin.
        answer: what its submitter waits for.
    """

    feed: Feed
    rows: int
    bytes: int
    level: int
    arrived: float
    due: float
    deadline: float | None
    answer: asyncio.Future[Batched]

    def hopeless(self, now: float) -> bool:
        """Whether it need not run; an expired one is told so."""
        if self.answer.done():
            return True  # cancelled
        if self.deadline is None or now < self.deadline:
            return False
        self.fail(Expired("the deadline passed in the queue: allow more time"))
        return True

    def fail(self, error: Exception) -> None:
        """Hand the submitter an error in place of an answer."""
        if not self.answer.done():
            self.answer.set_exception(error)


class Line:
    """Items in order of priority, then of arrival.

    Attributes:
        count: of items.
        rows: of all items together.
        bytes: that they hold together.
    """

    def __init__(self, settings: ModelSettings) -> None:
        self.rows = 0
        self.bytes = 0
        self._settings = settings
        self._max_bytes = settings.max_queue_mib * 1024 * 1024
        self._batch_rows = settings.batch_rows or settings.max_batch_rows
        self.count = 0
        self._levels: list[OrderedDict[Item, None]] = [
            OrderedDict() for _ in range(max(1, settings.priority_levels))
        ]

    def __iter__(self) -> Iterator[Item]:
        return chain.from_iterable(self._levels)

    @property
    def full(self) -> bool:
        """Whether the rows that wait could fill a batch."""
        return self.rows >= self._batch_rows

    def level(self, priority: int) -> int:
        """Where a priority belongs; one that is 0 or unknown gives the default, as in Triton."""
        levels = self._settings.priority_levels
        known = 1 <= priority <= levels
        return max(0, (priority if known else self._settings.default_priority or levels) - 1)

    def admit(self, item: Item) -> None:
        """Add an item.

        Raises:
            QueueFull: too many wait, or with this one they would hold too much.
        """
        count = self.count
        if count >= self._settings.max_queue or (count and self.bytes + item.bytes > self._max_bytes):
            raise QueueFull(f"{count} requests wait already, {self.bytes:,} bytes: try again in a moment")
        self._levels[item.level][item] = None
        self.count += 1
        self.rows += item.rows
        self.bytes += item.bytes

    def discard(self, item: Item) -> None:
        """Remove an item, if it waits still."""
        level = self._levels[item.level]
        if item in level:
            del level[item]
            self._left(item)

    def take(self, now: float) -> list[Item]:
        """Form a batch; the first item says of which kind, and no item is overtaken by one of its own kind.

        One that has more rows than batches shall have is a batch by itself.

        Items that are cancelled or expired leave the line and take no rows of the batch.
        """
        batch: list[Item] = []
        free = self._batch_rows
        for level in self._levels:
            passed: list[Item] = []
            while level and free > 0:
                item, _ = level.popitem(last=False)
                if item.hopeless(now):
                    self._left(item)
                elif batch and not joinable(item.feed, batch[0].feed):
                    passed.append(item)
                elif batch and item.rows > free:
                    passed.append(item)
                    free = 0  # smaller ones behind it must not starve it
                else:
                    batch.append(item)
                    free -= item.rows
                    self._left(item)
            for item in reversed(passed):
                level[item] = None
                level.move_to_end(item, last=False)
        return batch

    def expire(self, now: float) -> float | None:
        """Remove the items that are cancelled or expired.

        Returns:
            The earliest deadline of those left; None if they have none.
        """
        for item in [item for item in self if item.hopeless(now)]:
            self.discard(item)
        return min((item.deadline for item in self if item.deadline is not None), default=None)

    def _left(self, item: Item) -> None:
        self.count -= 1
        self.rows -= item.rows
        self.bytes -= item.bytes
