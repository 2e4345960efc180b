"""Dynamic batching with asyncio and numpy alone: whatever queues while the model is busy runs together."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from export.runner import Answer, Feed
from serving.errors import Expired, QueueFull

Run = Callable[[Feed], Awaitable[Answer]]


class Timer(Protocol):
    """A callback that is due."""

    def cancel(self) -> None:
        """Forget it."""
        ...


class Clock(Protocol):
    """The part of an event loop that tells the time; tests bring their own."""

    def time(self) -> float:
        """Monotonic seconds."""
        ...

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Call back in `delay` seconds."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """How large batches and the queue may grow.

    Attributes:
        max_rows: of one batch.
        max_delay_ms: how long the first item of an unfilled batch waits for others. At 0 batches form only of
            what queued while the model was busy.
        max_queue: items that may wait.
        max_queue_bytes: that waiting items may hold together; one alone may hold more.
    """

    max_rows: int = 64
    max_delay_ms: float = 0.0
    max_queue: int = 1024
    max_queue_bytes: int = 256 * 1024 * 1024

    def __post_init__(self) -> None:
        """Reject limits under which nothing could run."""
        if min(self.max_rows, self.max_queue, self.max_queue_bytes) < 1 or not self.max_delay_ms >= 0:
            raise ValueError("the limits must be at least 1, max_delay_ms at least 0")


@dataclass(slots=True, eq=False)
class _Item:
    feed: Feed
    rows: int
    bytes: int
    # What must agree within a batch: each input's dimensions but for the rows.
    key: tuple[tuple[str, tuple[int, ...]], ...]
    arrived: float
    deadline: float | None
    answer: asyncio.Future[Answer]

    def expired(self, now: float) -> bool:
        return self.deadline is not None and now >= self.deadline

    def fail(self, error: Exception) -> None:
        if not self.answer.done():  # cancelled
            self.answer.set_exception(error)


class Batcher:
    """Collects feeds, runs them in batches, and hands each submitter its own rows.

    As an async context manager it works from entry to exit; what waits at exit is cancelled.
    """

    def __init__(self, run: Run, limits: BatchLimits, clock: Clock | None = None) -> None:
        self._run = run
        self._limits = limits
        self._clock: Clock = clock or asyncio.get_running_loop()
        self._queue: deque[_Item] = deque()
        self._waiting_bytes = 0
        self._changed = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start to work."""
        self._worker = asyncio.create_task(self._work())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        assert self._worker is not None  # noqa: S101  (entered before it is left)
        self._worker.cancel()
        await asyncio.wait([self._worker])
        for item in self._queue:
            item.answer.cancel()

    @property
    def waiting(self) -> int:
        """Items in the queue; those of a running batch have left it."""
        return len(self._queue)

    @property
    def waiting_bytes(self) -> int:
        """What the items in the queue hold."""
        return self._waiting_bytes

    async def submit(self, feed: Feed, deadline: float | None = None, *, held_bytes: int = 0) -> Answer:
        """Run a feed, together with whatever else waits; cancelling frees its place in the queue.

        Args:
            feed: input name to array, the first dimension counts rows, the same number in each, at most
                `max_rows`.
            deadline: on the clock; an item that has not begun by then never does.
            held_bytes: what the submitter holds beside the feed while the item waits.

        Returns:
            Output name to array, one row for each of the feed.

        Raises:
            QueueFull: `max_queue` items wait already, or with this one they would hold too much.
            Expired: the deadline passed before the item's turn.
        """
        item = _Item(
            feed=feed,
            rows=len(next(iter(feed.values()))),
            bytes=held_bytes + sum(array.nbytes for array in feed.values()),
            key=tuple(sorted((name, array.shape[1:]) for name, array in feed.items())),
            arrived=self._clock.time(),
            deadline=deadline,
            answer=asyncio.get_running_loop().create_future(),
        )
        if item.expired(item.arrived):
            raise Expired("the deadline passed before the request came: allow more time")
        self._admit(item)
        self._changed.set()
        try:
            return await item.answer
        except asyncio.CancelledError:
            with contextlib.suppress(ValueError):  # its batch runs already
                self._queue.remove(item)
                self._waiting_bytes -= item.bytes
            raise

    def _admit(self, item: _Item) -> None:
        limits = self._limits
        full = len(self._queue) >= limits.max_queue
        if full or (self._queue and self._waiting_bytes + item.bytes > limits.max_queue_bytes):
            raise QueueFull(
                f"{len(self._queue)} requests wait already, {self._waiting_bytes:,} bytes: "
                "try again in a moment"
            )
        self._queue.append(item)
        self._waiting_bytes += item.bytes

    async def _work(self) -> None:
        while True:
            self._changed.clear()
            if not self._queue:
                await self._changed.wait()
            elif (delay := self._delay()) > 0:
                timer = self._clock.call_later(delay, self._changed.set)
                await self._changed.wait()
                timer.cancel()
            elif batch := self._form():
                await self._execute(batch)
                # A run on the event loop does not yield: let requests in that came meanwhile.
                await asyncio.sleep(0)

    def _delay(self) -> float:
        """Seconds that the oldest item may still wait for others."""
        left = self._queue[0].arrived + self._limits.max_delay_ms / 1000 - self._clock.time()
        if left <= 0 or sum(item.rows for item in self._queue) >= self._limits.max_rows:
            return 0.0
        return left

    def _form(self) -> list[_Item]:
        """Take the next batch from the queue, in order of arrival; the oldest item says of which shapes."""
        now = self._clock.time()
        batch: list[_Item] = []
        passed: list[_Item] = []
        rows = 0
        while self._queue and rows < self._limits.max_rows:
            item = self._queue.popleft()
            self._waiting_bytes -= item.bytes
            if item.expired(now):
                item.fail(Expired("the deadline passed in the queue: allow more time"))
            elif batch and item.key != batch[0].key:
                passed.append(item)
            elif batch and rows + item.rows > self._limits.max_rows:
                passed.append(item)
                break  # smaller ones behind it must not starve it
            else:
                batch.append(item)
                rows += item.rows
        self._queue.extendleft(reversed(passed))
        self._waiting_bytes += sum(item.bytes for item in passed)
        return batch

    async def _execute(self, batch: Sequence[_Item]) -> None:
        """Run a batch, hand out its rows; if it fails, each item runs alone, so that one spoils no other."""
        try:
            answers = await self._answers(batch)
        except asyncio.CancelledError:
            for item in batch:
                item.answer.cancel()
            raise
        except Exception as error:  # noqa: BLE001  (whatever it is, it is its submitter's to see)
            if len(batch) == 1:
                batch[0].fail(error)
                return
            for item in batch:
                if not item.answer.done():
                    await self._execute([item])
            return
        for item, answer in zip(batch, answers, strict=True):
            if not item.answer.done():  # cancelled while it ran
                item.answer.set_result(answer)

    async def _answers(self, batch: Sequence[_Item]) -> list[Answer]:
        if len(batch) == 1:
            return [await self._run(batch[0].feed)]
        joined = {name: np.concatenate([item.feed[name] for item in batch]) for name in batch[0].feed}
        outputs = await self._run(joined)
        ends = np.cumsum([item.rows for item in batch])
        if any(len(array) != ends[-1] for array in outputs.values()):
            raise ValueError(f"a batch of {ends[-1]} rows was answered with another number of rows")
        parts = {name: np.split(array, ends[:-1]) for name, array in outputs.items()}
        return [{name: part[index] for name, part in parts.items()} for index in range(len(batch))]
