"""Questions and answers between two processes, over a socket that both hold an end of."""

import asyncio
import itertools
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Self

from serving.workers.messages import AnyMessage, Failed, Frame, Start, pack, unpack

log = logging.getLogger(__name__)

LENGTH_BYTES = 4
MAX_FRAME_BYTES = 64 * 1024 * 1024


class ChannelClosed(Exception):  # noqa: N818  (named for what happened)
    """The other process is gone."""


class Channel:
    """One end: asks, and answers what the other end asks.

    Attributes:
        heard: when the other end last said anything, in monotonic seconds.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answer: Callable[[AnyMessage], Awaitable[AnyMessage]],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._answer = answer
        self._numbers = itertools.count()
        self._asked: dict[int, asyncio.Future[AnyMessage]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._closed = False
        self.heard = time.monotonic()

    @classmethod
    async def over(cls, end: socket.socket, answer: Callable[[AnyMessage], Awaitable[AnyMessage]]) -> Self:
        """A channel over one end of a socket pair."""
        reader, writer = await asyncio.open_unix_connection(sock=end)
        return cls(reader, writer, answer)

    async def ask(self, message: AnyMessage) -> AnyMessage:
        """Send a message, wait for its answer.

        Raises:
            ChannelClosed: the other process is gone, or went before it answered.
        """
        if self._closed:
            raise ChannelClosed
        number = next(self._numbers)
        future = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            self._send(Frame(number, False, message))
            answer: AnyMessage = await future
            return answer
        finally:
            del self._asked[number]

    async def run(self) -> None:
        """Hear the other end until it is gone."""
        try:
            while True:
                length = int.from_bytes(await self._reader.readexactly(LENGTH_BYTES), "little")
                if length > MAX_FRAME_BYTES:
                    raise ValueError(f"a frame of {length} bytes")
                self._hear(unpack(await self._reader.readexactly(length)))
        except (asyncio.IncompleteReadError, OSError):
            pass  # it has ended
        finally:
            self._closed = True
            for future in self._asked.values():
                if not future.done():
                    future.set_exception(ChannelClosed())
            self._writer.close()

    def _hear(self, frame: Frame) -> None:
        self.heard = time.monotonic()
        if frame.answers:
            future = self._asked.get(frame.number)
            if future is not None and not future.done():
                future.set_result(frame.message)
            return
        task = asyncio.create_task(self._reply(frame))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _reply(self, frame: Frame) -> None:
        try:
            answer = await self._answer(frame.message)
        except Exception:
            log.exception("%s failed", type(frame.message).__name__)
            answer = Failed()
        if not self._closed:
            self._send(Frame(frame.number, True, answer))

    def _send(self, frame: Frame) -> None:
        self._writer.write(_framed(frame))


def send_first(end: socket.socket, message: Start) -> None:
    """Send the message that a new process waits for."""
    end.sendall(_framed(Frame(0, False, message)))


def receive_first(end: socket.socket) -> Start:
    """Wait for that message; a channel may then take over the socket."""
    length = int.from_bytes(_receive(end, LENGTH_BYTES), "little")
    message = unpack(_receive(end, length)).message
    assert isinstance(message, Start)  # noqa: S101  (our own supervisor's)
    return message


def _receive(end: socket.socket, size: int) -> bytes:
    content = end.recv(size, socket.MSG_WAITALL)
    if len(content) < size:
        raise SystemExit("the supervisor is gone")
    return content


def _framed(frame: Frame) -> bytes:
    content = pack(frame)
    return len(content).to_bytes(LENGTH_BYTES, "little") + content
