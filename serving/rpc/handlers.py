"""Who answers which RPC: the inference service, health checking and reflection."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health, health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from serving.proto.methods import SERVICE
from serving.rpc.call import Call, Ended
from serving.rpc.service import InferenceService
from serving.rpc.stream import Conversing, StreamCall
from serving.rpc.unary import Answering

HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"]
REFLECTION = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"]

AnyMessage = TypeVar("AnyMessage", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """What answers RPCs, by their paths.

    Attributes:
        unary: those of one request and one answer.
        streams: all others.
    """

    unary: Mapping[str, Answering]
    streams: Mapping[str, Conversing]


def handlers_of(service: InferenceService, health_service: health.aio.HealthServicer) -> Handlers:
    """The handlers of all that the server answers; health and reflection are gRPC's own."""
    reflector = reflection.aio.ReflectionServicer([each.full_name for each in (SERVICE, HEALTH, REFLECTION)])
    return Handlers(
        unary={
            **{f"/{SERVICE.full_name}/{name}": answer for name, answer in service.unary.items()},
            f"/{HEALTH.full_name}/Check": _check(health_service.Check),
        },
        streams={
            **{f"/{SERVICE.full_name}/{name}": converse for name, converse in service.streams.items()},
            f"/{HEALTH.full_name}/Watch": _watch(health_service.Watch),
            f"/{REFLECTION.full_name}/ServerReflectionInfo": _reflect(reflector.ServerReflectionInfo),
        },
    )


def _check(check: Callable[..., Awaitable[Any]]) -> Answering:
    async def answer(content: bytes, call: Call) -> bytes:
        response: Message = await check(_read(health_pb2.HealthCheckRequest, content), call)
        return response.SerializeToString()

    return answer


def _watch(watch: Callable[..., Awaitable[None]]) -> Conversing:
    async def converse(stream: StreamCall) -> None:
        async for content in stream.messages():
            await watch(_read(health_pb2.HealthCheckRequest, content), _Writer(stream))

    return converse


def _reflect(reflect: Callable[..., Any]) -> Conversing:
    async def converse(stream: StreamCall) -> None:
        async def requests() -> AsyncIterator[Message]:
            async for content in stream.messages():
                yield _read(reflection_pb2.ServerReflectionRequest, content)

        async for response in reflect(requests(), stream):
            await stream.send(response.SerializeToString())

    return converse


def _read(kind: type[AnyMessage], content: bytes) -> AnyMessage:
    """A message; if it cannot be read gRPC's own servers would answer UNKNOWN, as for a fault of theirs."""
    try:
        return kind.FromString(content)
    except DecodeError:
        text = "the request's bytes are no message of this method: send one of its protocol's"
        raise Ended(grpc.StatusCode.INVALID_ARGUMENT, text) from None


class _Writer:
    """What gRPC's health service writes to."""

    def __init__(self, stream: StreamCall) -> None:
        self._stream = stream

    async def write(self, message: Message) -> None:
        await self._stream.send(message.SerializeToString())
