"""RPCs of one request and one answer."""

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any

import grpc

from serving.rpc.call import HEADERS, Call, Ended, ignore, send_end, send_ok
from serving.rpc.core import NO_FLAGS, Event, cygrpc
from serving.rpc.outgoing import Outgoing
from serving.rpc.status import ended_by

Answering = Callable[[bytes, Call], Coroutine[Any, Any, bytes]]


class UnaryCall(Call):
    """Reads the request, has it answered, sends the answer.

    The answering begins at once, where the request is found, and needs no task unless it waits for something:
    up to there it must not ask for the current task.
    """

    __slots__ = ("_answer", "_outgoing", "_task")

    def __init__(self, event: Event, outgoing: Outgoing, answer: Answering) -> None:
        super().__init__(event)
        self._outgoing = outgoing
        self._answer = answer
        self._task: asyncio.Task[None] | None = None
        call = self._call
        call.start_server_batch((cygrpc.ReceiveCloseOnServerOperation(NO_FLAGS),), self._closed)
        call.start_server_batch((cygrpc.ReceiveMessageOperation(NO_FLAGS),), self._received)

    def _received(self, event: Event) -> None:
        content: bytes | None = event.batch_operations[0].message()
        if content is None:
            self._end(Ended(grpc.StatusCode.UNIMPLEMENTED, "the RPC takes one message, and none came"))
            return
        answering = self._answer(content, self)
        try:
            waits_for = answering.send(None)
        except StopIteration as done:
            self._send(done.value)
        except Exception as error:  # noqa: BLE001  (whatever it is, it becomes a status)
            self._end(ended_by(error))
        else:
            self._task = asyncio.create_task(self._finish(_resumed(answering, waits_for)))

    async def _finish(self, answering: Coroutine[Any, Any, bytes]) -> None:
        try:
            content = await answering
        except Exception as error:  # noqa: BLE001  (whatever it is, it becomes a status)
            self._end(ended_by(error))
        else:
            self._send(content)

    def _send(self, content: bytes) -> None:
        message = cygrpc.SendMessageOperation(content, NO_FLAGS)
        self._outgoing.begin()
        self._call.start_server_batch((HEADERS, message, send_ok(self.trailing)), self._sent)

    def _sent(self, _: Event) -> None:
        self._outgoing.end()

    def _end(self, ended: Ended) -> None:
        self._call.start_server_batch((HEADERS, send_end(ended, self.trailing)), ignore)

    def _closed(self, event: Event) -> None:
        if self._task is not None and event.batch_operations[0].cancelled():
            # After the task's first step: one that is cancelled before it would drop what has begun.
            asyncio.get_running_loop().call_soon(self._task.cancel)


@types.coroutine
def _resumed(begun: Coroutine[Any, Any, bytes], waits_for: object) -> Generator[Any, Any, bytes]:
    """The rest of a coroutine that has begun already, and now waits."""
    go_on: Callable[[Any], object]
    while True:
        try:
            came = yield waits_for
        except BaseException as error:  # noqa: BLE001  (the coroutine's to deal with)
            go_on, came = begun.throw, error
        else:
            go_on = begun.send
        try:
            waits_for = go_on(came)
        except StopIteration as done:
            answer: bytes = done.value
            return answer
