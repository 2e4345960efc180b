"""The worker processes: started, asked all together, replaced when one is gone."""

import asyncio
import contextlib
import logging
import os
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from serving.errors import ServingError, WorkerLost
from serving.statistics import ModelCounts, settled, total
from serving.workers.channel import Channel, ChannelClosed, send_first
from serving.workers.messages import AnyMessage, Collect, Counted, Start

log = logging.getLogger(__name__)

# A worker that is gone is replaced at once; after several short lives in a row, after a pause that doubles.
SHORT_LIFE_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0

# What is not counted because a worker is killed: at most what happened since it was last asked.
COLLECT_SECONDS = 1.0
ANSWER_SECONDS = 2.0

# A worker that says nothing for so long hangs: it is killed, and replaced. What loads or runs a model for
# long does so beside the loop that answers.
MUTE_SECONDS = 15.0

Answer = Callable[[AnyMessage], Awaitable[AnyMessage]]


@dataclass(slots=True, eq=False)
class _Member:
    process: Process
    channel: Channel
    hearing: asyncio.Task[None]
    began: float = field(default_factory=time.monotonic)
    joined: bool = True
    ready: bool = False
    counts: tuple[ModelCounts, ...] = ()

    def join(self) -> None:
        self.joined = True


class Crew:
    """A number of worker processes."""

    def __init__(
        self,
        start: Start,
        *,
        size: int,
        answer: Answer,
        bring_up: Callable[[Answer, Callable[[], None]], Awaitable[None]],
    ) -> None:
        """Prepare to start them.

        Args:
            start: what each is told first.
            size: how many.
            answer: what answers their questions.
            bring_up: makes a replacement do what the others do, given what asks it, and what says that it is
                one of those that are asked together.
        """
        self._start = start
        self._size = size
        self._answer = answer
        self._bring_up = bring_up
        self._members: list[_Member] = []
        self._past: tuple[ModelCounts, ...] = ()
        self._watching: set[asyncio.Task[None]] = set()
        self._short_lives = 0
        self._opened = asyncio.Event()
        self._stopping = False
        self.restarts = 0

    @property
    def ready(self) -> int:
        """Workers that take requests."""
        return sum(member.ready for member in self._members)

    async def start(self) -> None:
        """Start all."""
        for member in await asyncio.gather(*(self._spawn() for _ in range(self._size))):
            self._admit(member)

    async def ask_all(self, message: AnyMessage) -> Sequence[AnyMessage]:
        """Ask all workers at the same time.

        Returns:
            Their answers; of those that are gone there is none.

        Raises:
            WorkerLost: none is left to answer.
        """
        asked = await asyncio.gather(
            *(member.channel.ask(message) for member in self._members if member.joined),
            return_exceptions=True,
        )
        answers = []
        for answer in asked:
            if isinstance(answer, BaseException):
                if not isinstance(answer, ChannelClosed):
                    raise answer
            else:
                answers.append(answer)
        if not answers:
            raise WorkerLost("no worker is left to answer: try again in a moment")
        return answers

    def opened(self) -> None:
        """Say that the workers take requests; from now on they are replaced when they are gone."""
        self._opened.set()
        for member in self._members:
            member.ready = True

    async def counts(self) -> tuple[ModelCounts, ...]:
        """What all workers have counted since the server's start, those that are gone too."""
        await asyncio.gather(*(self._collect(member) for member in self._members))
        return total([self._past, *(member.counts for member in self._members)])

    async def look_after(self) -> None:
        """Ask for counts often, so that little of them is lost with a worker; end a worker that is mute."""
        while True:
            await asyncio.sleep(COLLECT_SECONDS)
            members = [*self._members]
            await asyncio.gather(*(self._collect(member) for member in members))
            for member in members:
                if time.monotonic() - member.channel.heard > MUTE_SECONDS:
                    log.warning("worker %d has not answered for %g s", member.process.pid, MUTE_SECONDS)
                    _kill(member)

    async def stop(self, message: AnyMessage, within_s: float) -> None:
        """Send a last message, and wait until all have ended; those that do not are killed."""
        self._stopping = True
        for member in self._members:
            member.join()
        with contextlib.suppress(WorkerLost, TimeoutError):
            await asyncio.wait_for(self.ask_all(message), within_s)
        await self._end(within_s=ANSWER_SECONDS)

    async def kill(self) -> None:
        """End all at once; they have accepted nothing yet."""
        self._stopping = True
        await self._end(within_s=0)

    async def _end(self, *, within_s: float) -> None:
        for task in self._watching:
            task.cancel()
        for member in self._members:
            member.hearing.cancel()  # closes the channel: the worker reads its end
        waiting = [asyncio.create_task(member.process.wait()) for member in self._members]
        if waiting:
            await asyncio.wait(waiting, timeout=within_s)
        for member in self._members:
            _kill(member)
        await asyncio.gather(*waiting)

    async def _spawn(self) -> _Member:
        ours, its = socket.socketpair()
        inherited = [its.fileno()]
        if self._start.http_socket is not None:
            inherited.append(self._start.http_socket)
        with its:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-c", "from serving.workers.worker import main; main()"),
                str(its.fileno()),
                stdin=DEVNULL,
                pass_fds=inherited,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
            )
        send_first(ours, self._start)
        channel = await Channel.over(ours, self._answer)
        return _Member(process=process, channel=channel, hearing=asyncio.create_task(channel.run()))

    def _admit(self, member: _Member) -> None:
        self._members.append(member)
        task = asyncio.create_task(self._watch(member))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    async def _watch(self, member: _Member) -> None:
        """Replace a worker once it is gone; before all are open, one that fails is made up for afterwards."""
        code = await member.process.wait()
        if self._stopping:
            return
        self._members.remove(member)
        self._past = total([self._past, settled(member.counts)])
        short = time.monotonic() - member.began < SHORT_LIFE_SECONDS
        self._short_lives = self._short_lives + 1 if short else 0
        if not self._opened.is_set():
            log.warning("worker %d ended (%s) before it was ready", member.process.pid, _cause(code))
            await self._opened.wait()
        else:
            log.warning("worker %d ended (%s): it is replaced", member.process.pid, _cause(code))
        self.restarts += 1
        await asyncio.sleep(_pause(self._short_lives))
        await self._replace()

    async def _replace(self) -> None:
        replacement = await self._spawn()
        replacement.joined = False
        # Watched from now on, for it may be gone before it is brought up.
        self._admit(replacement)
        try:
            await self._bring_up(replacement.channel.ask, replacement.join)
        except (ChannelClosed, ServingError) as error:
            reason = f": {error}" if str(error) else ""
            log.warning("worker %d did not start%s", replacement.process.pid, reason)
            _kill(replacement)
        else:
            replacement.ready = True

    async def _collect(self, member: _Member) -> None:
        with contextlib.suppress(ChannelClosed, TimeoutError):
            answer = await asyncio.wait_for(member.channel.ask(Collect()), ANSWER_SECONDS)
            if isinstance(answer, Counted):
                member.counts = answer.counts


def _kill(member: _Member) -> None:
    with contextlib.suppress(ProcessLookupError):
        member.process.kill()


def _pause(short_lives: int) -> float:
    if short_lives < 2:  # noqa: PLR2004  (any worker may die once)
        return 0.0
    return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(short_lives - 2, 10))


def _cause(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
