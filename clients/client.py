"""The Python client."""

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self, TypeVar

import grpc

from clients import calls
from clients.address import DEFAULT_URL
from clients.calls import Call
from clients.channel import CHANNEL_OPTIONS, callables
from clients.connection import Connection, Tls
from clients.requests import InferRequest
from clients.results import InferResult, ModelConfig, ModelEntry, ModelMetadata, StreamAnswer
from clients.statistics import ModelStatistics
from clients.statuses import client_error
from clients.streaming import Exchange
from export.runner import Feed
from serving.proto import inference_pb2 as pb

T = TypeVar("T")

DEFAULT_TIMEOUT_S = 30.0
LOAD_TIMEOUT_S = 600.0  # a large model is read, checked and warmed up first


class Client:
    """Talks to a server of the Open Inference Protocol, keraport's or another; threads may share one.

    Every method raises a `ClientError`: `ServerUnavailable` if nobody answers, `DeadlineExceeded` after
    `timeout_s` seconds, and by what the server says `Unauthenticated`, `PermissionDenied`, `ModelNotFound`,
    `InvalidRequest`, `FailedPrecondition`, `Overloaded` or `ServerFault`.

    A call that changes nothing in the server is sent up to three times within about half a second where the
    server is unavailable, as it is for a moment when one of its processes is replaced. `load`, `unload` and
    `stream` are sent once.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        tls: Tls | None = None,
        token: str | None = None,
        allow_insecure_token: bool = False,
    ) -> None:
        """Prepare to talk to `url`, HOST:PORT; the connection is made by the first call.

        Args:
            url: of the server's gRPC.
            tls: None for a server without TLS.
            token: sent with every call; None for a server that wants none.
            allow_insecure_token: send it without TLS to other machines than this, too.

        Raises:
            InputError: it is no such address, a certificate cannot be read, or the token cannot be sent so.
        """
        connection = Connection(url=url, tls=tls, token=token, allow_insecure_token=allow_insecure_token)
        credentials = connection.credentials()
        self._url, self._metadata = url, connection.metadata
        self._channel = (
            grpc.insecure_channel(url, options=CHANNEL_OPTIONS)
            if credentials is None
            else grpc.secure_channel(url, credentials, options=CHANNEL_OPTIONS)
        )
        self._methods = callables(self._channel)

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
        priority: int = 0,
        classification: int = 0,
    ) -> InferResult:
        """Run a model.

        Args:
            model: its name.
            inputs: input name to array, the first dimension counts rows.
            outputs: the outputs wanted; by default all.
            version: by default the newest.
            timeout_s: after so many seconds give up, and let the server give up too.
            id: of the request, echoed in the answer.
            priority: 1 is served first; 0 for the model's default.
            classification: so many top classes in place of each output's values, which `outputs` must name;
                `InferResult.classes` reads them.
        """
        request = InferRequest(
            model=model,
            inputs=inputs,
            outputs=outputs,
            version=version,
            id=id,
            priority=priority,
            classification=classification,
        )
        return self._send(calls.infer(request), timeout_s)

    def stream(
        self, requests: Iterable[InferRequest], *, timeout_s: float | None = None
    ) -> Iterator[StreamAnswer]:
        """Run models for many requests over one stream.

        Args:
            requests: taken by another thread as fast as the server reads them.
            timeout_s: for the whole stream; None for as long as it takes.

        Yields:
            An answer for each request, matched by `id`; a request that fails does not end the stream.
            What `requests` raises is raised here, once those before it are answered.
        """
        exchange = Exchange(self._url)
        call = self._methods["ModelStreamInfer"](
            _outgoing(requests, exchange), timeout=timeout_s, metadata=self._metadata
        )
        try:
            for response in call:
                yield exchange.receive(response)
        except grpc.RpcError as error:
            raise client_error(error, self._url) from error
        finally:
            call.cancel()  # of what is left, where the caller wants no more
        exchange.end()

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

    def statistics(
        self, model: str = "", *, version: str = "", timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> tuple[ModelStatistics, ...]:
        """What the server counted of one model, or of all."""
        return self._send(calls.statistics(model, version), timeout_s)

    def models(self, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> tuple[ModelEntry, ...]:
        """Which models there are, and whether they can be asked."""
        return self._send(calls.models(), timeout_s)

    def load(self, model: str, *, timeout_s: float = LOAD_TIMEOUT_S) -> None:
        """Let the server serve a model, or its versions as they are now; return once it does."""
        self._send(calls.load(model), timeout_s)

    def unload(self, model: str, *, timeout_s: float = LOAD_TIMEOUT_S) -> None:
        """Let the server serve a model no longer."""
        self._send(calls.unload(model), timeout_s)

    def _send(self, call: Call[T], timeout_s: float) -> T:
        try:
            response = self._methods[call.method](call.request, timeout=timeout_s, metadata=self._metadata)
        except grpc.RpcError as error:
            raise client_error(error, self._url) from error
        return call.read(response)


def _outgoing(requests: Iterable[InferRequest], exchange: Exchange) -> Iterator[pb.ModelInferRequest]:
    try:
        for request in requests:
            yield exchange.send(request)
        exchange.complete = True
    except Exception as error:  # noqa: BLE001  (gRPC's thread would only log it; the caller must have it)
        exchange.fault = error
