"""One process that answers, started by the supervisor alone."""

import asyncio
import logging
import signal
import socket
import sys

from serving.engine import Engine
from serving.errors import Draining, Forbidden, LoadRefused, ModelNotFound, ModelRefused, ServingError
from serving.log_lines import log_to_stderr
from serving.rpc.loop import CompletionLoop
from serving.statistics import ModelCounts, Statistics
from serving.workers.channel import Channel, ChannelClosed, receive_first
from serving.workers.endpoints import Endpoints
from serving.workers.messages import (
    AnyMessage,
    Collect,
    Counted,
    Done,
    Drain,
    Load,
    Open,
    Prepare,
    Start,
    Swap,
    Unload,
)
from serving.workers.shelf import Shelf

log = logging.getLogger(__name__)


class Worker:
    """Does what the supervisor says."""

    def __init__(self, start: Start, end: socket.socket) -> None:
        settings = start.settings
        self._statistics = Statistics()
        self._engine = Engine(self)
        self._shelf = Shelf(settings, self._engine, self._statistics)
        self._endpoints = Endpoints(start, self._engine)
        self._settings = settings
        self._end = end
        self._drained = asyncio.Event()

    async def run(self) -> None:
        """Work until the supervisor, or a signal, says that it is enough, or the supervisor is gone."""
        loop = asyncio.get_running_loop()
        enough = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, enough.set)
        self._channel = await Channel.over(self._end, self._answer)
        hearing = asyncio.create_task(self._channel.run())
        hearing.add_done_callback(lambda _: enough.set())
        await enough.wait()
        await self._drain()
        await self._engine.close()
        hearing.cancel()

    def require(self) -> None:
        """Let a client steer, if this server lets any."""
        if not self._settings.repository_control:
            raise Forbidden("clients load and unload no models here: serve with --repository-control")

    async def load(self, model: str) -> None:
        """Have the supervisor look at a model anew."""
        self.require()
        self._raise_refusal(await self._ask(Load(model=model)))

    async def unload(self, model: str) -> None:
        """Have the supervisor end a model everywhere."""
        self.require()
        self._raise_refusal(await self._ask(Unload(model=model)))

    async def statistics(self) -> tuple[ModelCounts, ...]:
        """Have the supervisor add up what all workers have counted."""
        answer = await self._ask(Collect())
        assert isinstance(answer, Counted)  # noqa: S101  (a question's answer)
        return answer.counts

    async def _answer(self, message: AnyMessage) -> AnyMessage:
        match message:
            case Prepare():
                try:
                    await self._shelf.prepare(message)
                except ModelRefused as refusal:
                    return Done(refused=str(refusal))
            case Swap():
                await self._shelf.swap(message)
            case Open():
                try:
                    await self._endpoints.open()
                except ServingError as error:
                    return Done(refused=str(error))
            case Collect():
                return Counted(counts=self._statistics.snapshot())
            case Drain():
                await self._drain()
            case _:
                raise ValueError(f"a worker does not answer {type(message).__name__}")
        return Done()

    async def _drain(self) -> None:
        """Refuse what is new, answer what was accepted, stop to listen; once."""
        if self._engine.draining:
            await self._drained.wait()
            return
        await self._endpoints.drain(self._settings.grace_s)
        self._drained.set()

    async def _ask(self, message: AnyMessage) -> AnyMessage:
        try:
            return await self._channel.ask(message)
        except ChannelClosed:
            raise Draining("the server is stopping: ask another one") from None

    @staticmethod
    def _raise_refusal(answer: AnyMessage) -> None:
        assert isinstance(answer, Done)  # noqa: S101  (a question's answer)
        if answer.refused:
            raise ModelNotFound(answer.refused) if answer.unknown else LoadRefused(answer.refused)


def main() -> None:
    """Work for the process at the other end of the socket whose descriptor is the only argument."""
    # Ctrl-C reaches all processes of a terminal; only the supervisor decides what comes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log_to_stderr()
    end = socket.socket(fileno=int(sys.argv[1]))
    start = receive_first(end)
    with asyncio.Runner(loop_factory=CompletionLoop) as runner:
        runner.run(Worker(start, end).run())
