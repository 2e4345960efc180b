"""The Python clients, sync and async: one set of calls, two ways to send them."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
import grpc.aio

from clients import calls
from clients.address import check_address
from clients.calls import CHANNEL_OPTIONS, Call
from clients.results import InferResult, ModelConfig, ModelEntry, ModelMetadata
from export.runner import Feed
from serving.proto.methods import METHODS

T = TypeVar("T")

DEFAULT_URL = "127.0.0.1:8001"
DEFAULT_TIMEOUT_S = 30.0


class Client:
    """Talks to a server of the Open Inference Protocol, keraport's or another; threads may share one.

    Every method raises a `ClientError`: `ServerUnavailable` if nobody answers, `DeadlineExceeded` after
    `timeout_s` seconds, `ModelNotFound`, `InvalidRequest`, `Overloaded` or `ServerFault` by what the server
    says.
    """

    def __init__(self, url: str = DEFAULT_URL) -> None:
        """Prepare to talk to `url`, HOST:PORT; the connection is made by the first call.

        Raises:
            InputError: it is no such address.
        """
        self._url = check_address(url)
        self._channel = grpc.insecure_channel(url, options=CHANNEL_OPTIONS)
        self._methods = _callables(self._channel)

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def infer(
        self,
        model: str,
        inputs: Feed,
        *,
        outputs: Sequence[str] | None = None,
        version: str = "",
        timeout_s: float = DEFAULT_TIMEOUT_S,
        id: str = "",  # noqa: A002  (the protocol's name)
    ) -> InferResult:
        """Run a model.

        Args:
            model: its name.
            inputs: input name to array, the first dimension counts rows.
            outputs: the outputs wanted; by default all.
            version: by default the newest.
            timeout_s: after so many seconds give up, and let the server give up too.
            id: of the request, echoed in the answer.
        """
        call = calls.infer(model, inputs, outputs=outputs, version=version, request_id=id)
        return self._send(call, timeout_s)

    def live(self, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> bool:
        """Whether the server runs."""
        return self._send(calls.live(), timeout_s)

    def ready(
        self, model: str | None = None, *, version: str = "", timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> bool:
        """Whether the server, or one model, takes inferences."""
        return self._send(calls.ready(model, version), timeout_s)

    def metadata(
        self, model: str, *, version: str = "", timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> ModelMetadata:
        """What a model takes and gives."""
        return self._send(calls.metadata(model, version), timeout_s)

    def config(self, model: str, *, version: str = "", timeout_s: float = DEFAULT_TIMEOUT_S) -> ModelConfig:
        """How a model is batched and what its classes are called."""
        return self._send(calls.config(model, version), timeout_s)

    def models(self, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> tuple[ModelEntry, ...]:
        """Which models there are."""
        return self._send(calls.models(), timeout_s)

    def _send(self, call: Call[T], timeout_s: float) -> T:
        try:
            response = self._methods[call.method](call.request, timeout=timeout_s)
        except grpc.RpcError as error:
            raise calls.client_error(error, self._url) from error
        return call.read(response)


class AsyncClient:
    """`Client` for asyncio: the same methods, awaited."""

    def __init__(self, url: str = DEFAULT_URL) -> None:
        """Prepare to talk to `url`, HOST:PORT; the connection is made by the first call.

        Raises:
            InputError: it is no such address.
        """
        self._url = check_address(url)
        self._channel = grpc.aio.insecure_channel(url, options=CHANNEL_OPTIONS)
        self._methods = _callables(self._channel)

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
    ) -> InferResult:
        """Run a model, with `Client.infer`'s arguments; cancelling frees its place in the server's queue."""
        call = calls.infer(model, inputs, outputs=outputs, version=version, request_id=id)
        return await self._send(call, timeout_s)

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

    async def models(self, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> tuple[ModelEntry, ...]:
        """Which models there are."""
        return await self._send(calls.models(), timeout_s)

    async def _send(self, call: Call[T], timeout_s: float) -> T:
        try:
            response = await self._methods[call.method](call.request, timeout=timeout_s)
        except grpc.RpcError as error:
            raise calls.client_error(error, self._url) from error
        return call.read(response)


def _callables(channel: grpc.Channel | grpc.aio.Channel) -> dict[str, Any]:
    return {
        name: channel.unary_unary(
            method.path,
            request_serializer=method.request.SerializeToString,
            response_deserializer=method.response.FromString,
        )
        for name, method in METHODS.items()
    }
