"""Dynamic batching without gRPC or onnxruntime: whatever queues while the model is busy runs together."""

import asyncio
import math
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from export.runner import Answer, Feed
from serving.clock import Clock, Timer
from serving.errors import Draining, Expired
from serving.joining import join, padded_rows, split
from serving.running import AtOnce, Lane, Run
from serving.settings import ModelSettings
from serving.statistics import BatchRun
from serving.waiting import Batched, Item, Line


def _unobserved(_: BatchRun) -> None:
    return


class Batcher:
    """Collects feeds, runs them in batches, and hands each submitter its own rows.

    As an async context manager it works from entry to exit; what waits at exit is cancelled.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        settings: ModelSettings,
        clock: Clock | None = None,
        observe: Callable[[BatchRun], None] = _unobserved,
        at_once: AtOnce | None = None,
        *,
        ahead: bool = False,
    ) -> None:
        """Prepare to work.

        Args:
            runs: each runs one batch behind the other; they work side by side.
            settings: of batches and of the queue.
            clock: the event loop's if None.
            observe: told of every run that succeeded.
            at_once: runs small feeds that come while nobody waits; None if batches are always worth their
                forming.
            ahead: whether each run is handed its next batch while it works at one, if that batch is full: to
                wait would not fill it further, and the run would wait for the event loop.
        """
        self._lanes = [Lane(run) for run in runs]
        self._ahead = ahead
        self._settings = settings
        self._delay_s = settings.max_delay_ms / 1000
        self._event_loop = asyncio.get_running_loop()
        self._clock: Clock = clock or self._event_loop
        self._observe = observe
        # Where batches are waited for, nothing runs at once.
        self._at_once = at_once if at_once is not None and not settings.max_delay_ms else None
        self._line: Line = Line(settings)
        self._workers: list[asyncio.Task[None]] = []
        self._resting: list[tuple[Lane, asyncio.Future[None]]] = []
        self._still = asyncio.Event()
        self._due_timer: Timer | None = None
        self._expiry_timer: Timer | None = None
        self._expiry = math.inf

    async def __aenter__(self) -> Self:
        """Start to work."""
        self._workers = [
            asyncio.create_task(self._work(lane)) for lane in self._lanes for _ in range(1 + self._ahead)
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        workers, self._workers = self._workers, []
        self._resting.clear()
        for worker in workers:
            worker.cancel()
        for timer in (self._due_timer, self._expiry_timer):
            if timer is not None:
                timer.cancel()
        if workers:
            await asyncio.wait(workers)
        for item in list(self._line):
            item.answer.cancel()
            self._line.discard(item)
        self._still.set()

    @property
    def waiting(self) -> int:
        """Items in the queue; those of a running batch have left it."""
        return self._line.count

    @property
    def waiting_bytes(self) -> int:
        """What the items in the queue hold."""
        return self._line.bytes

    def deadline_of(self, *seconds: float | None) -> float | None:
        """When a request expires that comes now, on the clock: the soonest of its timeouts and the default.

        Args:
            seconds: from now; None for a timeout that it does not have.

        Returns:
            None if it has none at all.
        """
        default_s = self._settings.default_timeout_ms / 1000 or None
        known = [each for each in (default_s, *seconds) if each is not None]
        return self._clock.time() + min(known) if known else None

    async def drained(self) -> None:
        """Wait until nothing waits and nothing runs: what was accepted is answered."""
        while self._line.count or len(self._resting) < len(self._workers):
            self._still.clear()
            await self._still.wait()

    async def submit(
        self, feed: Feed, deadline: float | None = None, *, priority: int = 0, held_bytes: int = 0
    ) -> Batched:
        """Run a feed, together with whatever else waits; cancelling frees its place in the queue.

        Args:
            feed: input name to array, the first dimension counts rows, the same number in each, at most
                `max_batch_rows`.
            deadline: on the clock; an item that has not begun by then never does.
            priority: 1 is served first; the model's default if it is 0 or beyond its levels.
            held_bytes: what the submitter holds beside the feed while the item waits.

        Raises:
            QueueFull: `max_queue` items wait already, or with this one they would hold too much.
            Expired: the deadline passed before the item's turn.
            Draining: nothing is run any more.
        """
        if not self._workers:
            raise Draining("the model is being unloaded: ask again in a moment")
        now = self._clock.time()
        due = now + self._delay_s
        if deadline is not None and deadline <= due:
            if deadline <= now:
                raise Expired("the deadline passed before the request came: allow more time")
            due = now  # who cannot wait for others does not
        rows = 0
        for array in feed.values():
            rows = len(array)
            held_bytes += array.nbytes
        if self._at_once is not None and rows <= self._at_once.max_rows and not self._line.count:
            return self._run_at_once(self._at_once.run, feed, rows)
        level = self._line.level(priority)
        item = Item(feed, rows, held_bytes, level, now, due, deadline, self._event_loop.create_future())
        self._line.admit(item)
        if deadline is not None and deadline < self._expiry:
            self._expire_at(deadline, now)
        self._stir()
        try:
            return await item.answer
        except asyncio.CancelledError:
            self._line.discard(item)
            self._stir()
            raise

    def _run_at_once(self, run: Callable[[Feed], Answer], feed: Feed, rows: int) -> Batched:
        clock = self._clock
        padded = padded_rows(rows, self._settings.padding_buckets)
        joined = join([feed], rows, padded)
        begun = clock.time()
        outputs = run(joined)
        ended = clock.time()
        (answer,) = split(outputs, [rows], padded)
        done = BatchRun(rows=rows, input_s=0.0, infer_s=ended - begun, output_s=0.0)
        self._observe(done)
        return Batched(answer=answer, queue_s=0.0, run=done)

    def _expire_at(self, deadline: float, now: float) -> None:
        if self._expiry_timer is not None:
            self._expiry_timer.cancel()
        self._expiry = deadline
        self._expiry_timer = self._clock.call_later(deadline - now, self._expire)

    def _expire(self) -> None:
        """Tell whose deadline has passed, though the model be busy."""
        now = self._clock.time()
        self._expiry, self._expiry_timer = math.inf, None
        if (earliest := self._line.expire(now)) is not None:
            self._expire_at(earliest, now)
        self._stir()

    def _stir(self) -> None:
        """Wake a worker that rests, as soon as a batch is due."""
        if not self._resting:
            return  # whoever is done looks for more
        left = self._left()
        if left <= 0:
            # Who has nothing to do goes first.
            self._resting.sort(key=lambda rest: -rest[0].batches)
            if self._ready(self._resting[-1][0]):
                self._resting.pop()[1].set_result(None)
        elif left < math.inf:
            if self._due_timer is None:
                self._due_timer = self._clock.call_later(left, self._ring)
        elif len(self._resting) == len(self._workers):
            self._still.set()

    def _ring(self) -> None:
        self._due_timer = None
        self._stir()

    def _left(self) -> float:
        """Seconds until a batch is due: at once if the rows that wait could fill one."""
        if not self._line.count:
            return math.inf
        if not self._delay_s or self._line.full:
            return 0.0
        return min(item.due for item in self._line) - self._clock.time()

    def _ready(self, lane: Lane) -> bool:
        return self._left() <= 0 and (not lane.batches or self._line.full)

    async def _work(self, lane: Lane) -> None:
        while True:
            while not self._ready(lane):
                rest = self._event_loop.create_future()
                self._resting.append((lane, rest))
                self._stir()
                await rest
            if self._due_timer is not None:
                self._due_timer.cancel()
                self._due_timer = None
            # Between here and the run nothing is awaited: whoever is taken is neither cancelled nor expired.
            batch = self._line.take(self._clock.time())
            lane.batches += 1
            self._stir()
            try:
                if batch:
                    await self._execute(lane, batch)
            except asyncio.CancelledError:
                for item in batch:
                    item.answer.cancel()
                raise
            finally:
                lane.batches -= 1
            if self._line.count:
                # A run on the event loop does not yield: let requests in that came meanwhile.
                await asyncio.sleep(0)

    async def _execute(self, lane: Lane, batch: Sequence[Item]) -> None:
        """Run a batch, hand out its rows; if it fails, each item runs alone, so that one spoils no other."""
        try:
            await self._answer(lane, batch)
            return
        except Exception as error:  # noqa: BLE001  (whatever it is, it is its submitter's to see)
            if len(batch) == 1:
                batch[0].fail(error)
                return
        for item in batch:
            await asyncio.sleep(0)
            if not item.hopeless(self._clock.time()):
                await self._execute(lane, [item])

    async def _answer(self, lane: Lane, batch: Sequence[Item]) -> None:
        clock = self._clock
        counts = [item.rows for item in batch]
        rows = sum(counts)
        padded = padded_rows(rows, self._settings.padding_buckets)
        formed = clock.time()
        feed = join([item.feed for item in batch], rows, padded)
        handed = clock.time()
        try:
            outputs = await lane.run(feed)
        finally:
            ended = clock.time()
            # One that was handed over ahead began when the one before it ended.
            begun, lane.ended = max(handed, lane.ended), ended
        answers = split(outputs, counts, padded)
        output_s = clock.time() - ended
        done = BatchRun(rows=rows, input_s=handed - formed, infer_s=ended - begun, output_s=output_s)
        self._observe(done)
        turn = formed + (begun - handed)
        for item, answer in zip(batch, answers, strict=True):
            if not item.answer.done():  # cancelled while it ran
                item.answer.set_result(Batched(answer=answer, queue_s=turn - item.arrived, run=done))
