"""The Python client for asyncio."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from types import TracebackType
from typing import Self, TypeVar

import grpc
import grpc.aio

from clients import calls
from clients.address import DEFAULT_URL
from clients.calls import Call
from clients.channel import CHANNEL_OPTIONS, callables
from clients.client import DEFAULT_TIMEOUT_S, LOAD_TIMEOUT_S
from clients.connection import Connection, Tls
from clients.requests import InferRequest
from clients.results import InferResult, ModelConfig, ModelEntry, ModelMetadata, StreamAnswer
from clients.statistics import ModelStatistics
from clients.statuses import client_error
from clients.streaming import Exchange
from export.runner import Feed
from serving.proto import inference_pb2 as pb

T = TypeVar("T")


class AsyncClient:
    """`Client` for asyncio: the same methods, awaited."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        tls: Tls | None = None,
        token: str | None = None,
        allow_insecure_token: bool = False,
    ) -> None:
        """Prepare to talk to `url`, HOST:PORT, with `Client`'s arguments.

        Raises:
            InputError: it is no such address, a certificate cannot be read, or the token cannot be sent so.
        """
        connection = Connection(url=url, tls=tls, token=token, allow_insecure_token=allow_insecure_token)
        credentials = connection.credentials()
        self._url, self._metadata = url, connection.metadata
        self._channel = (
            grpc.aio.insecure_channel(url, options=CHANNEL_OPTIONS)
            if credentials is None
            else grpc.aio.secure_channel(url, credentials, options=CHANNEL_OPTIONS)
        )
        self._methods = callables(self._channel)

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        await self.close()

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()

    async def infer(
        self,
        model: str,
        inputs: Feed,
        *,
        outputs: Sequence[str] | None = None,
        version: str = "",
        timeout_s: float = DEFAULT_TIMEOUT_S,
        id: str = "",  # noqa: A002  (the protocol's name)
        priority: int = 0,
        classification: int = 0,
    ) -> InferResult:
        """Run a model, with `Client.infer`'s arguments; cancelling frees its place in the server's queue."""
        request = InferRequest(
            model=model,
            inputs=inputs,
            outputs=outputs,
            version=version,
            id=id,
            priority=priority,
            classification=classification,
        )
        return await self._send(calls.infer(request), timeout_s)

    async def stream(
        self,
        requests: Iterable[InferRequest] | AsyncIterable[InferRequest],
        *,
        timeout_s: float | None = None,
    ) -> AsyncIterator[StreamAnswer]:
        """Run models for many requests over one stream, with `Client.stream`'s arguments and answers."""
        exchange = Exchange(self._url)
        call = self._methods["ModelStreamInfer"](
            _outgoing(requests, exchange), timeout=timeout_s, metadata=self._metadata
        )
        try:
            async for response in call:
                yield exchange.receive(response)
        except grpc.aio.AioRpcError as error:
            # Writing to a stream that the server has ended, which hides from us how it did.
            if error.details() == "Internal error from Core":
                raise exchange.cut() from error
            raise client_error(error, self._url) from error
        finally:
            call.cancel()  # of what is left, where the caller wants no more
        exchange.end()

    async def live(self, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> bool:
        """Whether the server runs."""
        return await self._send(calls.live(), timeout_s)

    async def ready(
        self, model: str | None = None, *, version: str = "", timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> bool:
        """Whether the server, or one model, takes inferences."""
        return await self._send(calls.ready(model, version), timeout_s)

    async def metadata(
        self, model: str, *, version: str = "", timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> ModelMetadata:
        """What a model takes and gives."""
        return await self._send(calls.metadata(model, version), timeout_s)

    async def config(
        self, model: str, *, version: str = "", timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> ModelConfig:
        """How a model is batched and what its classes are called."""
        return await self._send(calls.config(model, version), timeout_s)

    async def statistics(
        self, model: str = "", *, version: str = "", timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> tuple[ModelStatistics, ...]:
        """What the server counted of one model, or of all."""
        return await self._send(calls.statistics(model, version), timeout_s)

    async def models(self, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> tuple[ModelEntry, ...]:
        """Which models there are, and whether they can be asked."""
        return await self._send(calls.models(), timeout_s)

    async def load(self, model: str, *, timeout_s: float = LOAD_TIMEOUT_S) -> None:
        """Let the server serve a model, or its versions as they are now; return once it does."""
        await self._send(calls.load(model), timeout_s)

    async def unload(self, model: str, *, timeout_s: float = LOAD_TIMEOUT_S) -> None:
        """Let the server serve a model no longer."""
        await self._send(calls.unload(model), timeout_s)

    async def _send(self, call: Call[T], timeout_s: float) -> T:
        try:
            response = await self._methods[call.method](
                call.request, timeout=timeout_s, metadata=self._metadata
            )
        except grpc.RpcError as error:
            raise client_error(error, self._url) from error
        return call.read(response)


async def _outgoing(
    requests: Iterable[InferRequest] | AsyncIterable[InferRequest], exchange: Exchange
) -> AsyncIterator[pb.ModelInferRequest]:
    try:
        if isinstance(requests, AsyncIterable):
            async for request in requests:
                yield exchange.send(request)
        else:
            for request in requests:
                yield exchange.send(request)
        exchange.complete = True
    except Exception as error:  # noqa: BLE001  (gRPC's task would only log it; the caller must have it)
        exchange.fault = error
