"""RPCs of any number of messages either way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from typing import Any

from serving.rpc.call import HEADERS, Call, send_end, send_ok
from serving.rpc.core import NO_FLAGS, Event, Operation, cygrpc
from serving.rpc.outgoing import Outgoing
from serving.rpc.status import ended_by

Conversing = Callable[["StreamCall"], Coroutine[Any, Any, None]]


class StreamCall(Call):
    """Holds a conversation, which is a coroutine; it is cancelled if the client goes."""

    __slots__ = ("_headed", "_loop", "_outgoing", "_task")

    def __init__(self, event: Event, outgoing: Outgoing, converse: Conversing) -> None:
        super().__init__(event)
        self._outgoing = outgoing
        self._headed = False
        self._loop = asyncio.get_running_loop()
        self._call.start_server_batch((cygrpc.ReceiveCloseOnServerOperation(NO_FLAGS),), self._closed)
        self._task = self._loop.create_task(self._run(converse))

    async def messages(self) -> AsyncIterator[bytes]:
        """The client's messages; for one reader."""
        while True:
            received = await self._do(cygrpc.ReceiveMessageOperation(NO_FLAGS))
            message: bytes | None = received.batch_operations[0].message()
            if message is None:
                return
            yield message

    async def send(self, content: bytes) -> None:
        """Send a message; returns once the client's window has room for more."""
        message = cygrpc.SendMessageOperation(content, NO_FLAGS)
        self._outgoing.begin()
        try:
            await self._do(*self._heads(), message)
        finally:
            self._outgoing.end()

    async def _run(self, converse: Conversing) -> None:
        try:
            await converse(self)
        except Exception as error:  # noqa: BLE001  (whatever it is, it becomes a status)
            status = send_end(ended_by(error), self.trailing)
        else:
            status = send_ok(self.trailing)
        await self._do(*self._heads(), status)

    def _heads(self) -> tuple[Operation, ...]:
        if self._headed:
            return ()
        self._headed = True
        return (HEADERS,)

    async def _do(self, *operations: Operation) -> Event:
        completed: asyncio.Future[Event] = self._loop.create_future()
        self._call.start_server_batch(operations, partial(_complete, completed))
        return await completed

    def _closed(self, event: Event) -> None:
        if event.batch_operations[0].cancelled():
            self._task.cancel()


def _complete(completed: asyncio.Future[Event], event: Event) -> None:
    if not completed.done():  # nobody waits any more
        completed.set_result(event)
