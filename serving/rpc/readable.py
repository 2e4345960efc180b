"""Health checking and reflection as gRPC's own packages answer them, but for requests that cannot be read.

gRPC answers those with UNKNOWN, as it does a fault of the server's.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message

from serving.rpc.status import Context

UNREADABLE = object()


def reading(kind: type[Message]) -> Callable[[bytes], object]:
    """What makes a message of a request's bytes, or says that they are none."""

    def read(content: bytes) -> object:
        try:
            return kind.FromString(content)
        except DecodeError:
            return UNREADABLE

    return read


def of_one(method: Callable[[Any, Context], Awaitable[Any]]) -> Callable[[Any, Context], Awaitable[Any]]:
    """The method, for requests that can be read."""

    async def answer(request: object, context: Context) -> Any:  # noqa: ANN401  (each method has its messages)
        await _check(request, context)
        return await method(request, context)

    return answer


def of_many(method: Callable[..., Any]) -> Callable[[Any, Context], AsyncGenerator[Any]]:
    """The method, for streams of requests that can be read."""

    async def answer(requests: AsyncIterator[object], context: Context) -> AsyncGenerator[Any]:
        async def readable() -> AsyncGenerator[object]:
            async for request in requests:
                await _check(request, context)
                yield request

        async for each in method(readable(), context):
            yield each

    return answer


async def _check(request: object, context: Context) -> None:
    if request is UNREADABLE:
        text = "the request's bytes are no message of this method: send one of its protocol's"
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, text)
