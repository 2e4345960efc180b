"""The inference service's methods, and the one table that turns errors into status codes."""

import asyncio
import importlib.metadata
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from serving.batcher import Batcher, BatchLimits
from serving.codec import check_feed, decode, encode
from serving.errors import (
    Draining,
    Expired,
    InvalidTensor,
    ModelNotFound,
    QueueFull,
    RequestError,
)
from serving.model_config import config_message, metadata_message
from serving.proto import inference_pb2 as pb
from serving.session import Session

log = logging.getLogger(__name__)

STATUS: Mapping[type[RequestError], grpc.StatusCode] = {
    ModelNotFound: grpc.StatusCode.NOT_FOUND,
    InvalidTensor: grpc.StatusCode.INVALID_ARGUMENT,
    QueueFull: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Expired: grpc.StatusCode.DEADLINE_EXCEEDED,
    Draining: grpc.StatusCode.UNAVAILABLE,
}
INTERNAL_TEXT = "internal error: the server's log has the details"

# gRPC's own retry hint: a client with a retry policy waits so long before it asks a full queue again.
RETRY_HINT = (("grpc-retry-pushback-ms", "100"),)

Context = grpc.aio.ServicerContext[Any, Any]
Answering = Callable[[Any, Context], Awaitable[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A loaded model and the batcher before it."""

    session: Session
    batcher: Batcher


class InferenceService:
    """Answers the Open Inference Protocol for a set of models.

    Attributes:
        draining: set once when the server is to stop; from then on new inferences are refused.
    """

    def __init__(self, models: Mapping[str, ServedModel], limits: BatchLimits) -> None:
        self.draining = False
        self._models = models
        self._limits = limits
        self._answering = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def methods(self) -> Mapping[str, Answering]:
        """The protocol's name of each method, and what answers it."""
        return {
            "ServerLive": answering(self.server_live),
            "ServerReady": answering(self.server_ready),
            "ServerMetadata": answering(self.server_metadata),
            "ModelReady": answering(self.model_ready),
            "ModelMetadata": answering(self.model_metadata),
            "ModelConfig": answering(self.model_config),
            "ModelInfer": answering(self.model_infer),
            "RepositoryIndex": answering(self.repository_index),
        }

    async def drained(self) -> None:
        """Wait until no inference is under way."""
        await self._idle.wait()

    async def server_live(self, _: pb.ServerLiveRequest, __: Context) -> pb.ServerLiveResponse:
        """Whether the server should be left running."""
        return pb.ServerLiveResponse(live=not self.draining)

    async def server_ready(self, _: pb.ServerReadyRequest, __: Context) -> pb.ServerReadyResponse:
        """Whether the server takes inferences."""
        return pb.ServerReadyResponse(ready=not self.draining)

    async def server_metadata(self, _: pb.ServerMetadataRequest, __: Context) -> pb.ServerMetadataResponse:
        """Name, version and the protocol's extensions."""
        version = importlib.metadata.version("keraport")
        return pb.ServerMetadataResponse(name="keraport", version=version, extensions=["model_configuration"])

    async def model_ready(self, request: pb.ModelReadyRequest, _: Context) -> pb.ModelReadyResponse:
        """Whether a model takes inferences."""
        self._find(request.name, request.version)
        return pb.ModelReadyResponse(ready=not self.draining)

    async def model_metadata(self, request: pb.ModelMetadataRequest, _: Context) -> pb.ModelMetadataResponse:
        """What a model takes and gives."""
        return metadata_message(self._find(request.name, request.version).session)

    async def model_config(self, request: pb.ModelConfigRequest, _: Context) -> pb.ModelConfigResponse:
        """How a model is batched, and its labels."""
        session = self._find(request.name, request.version).session
        return pb.ModelConfigResponse(config=config_message(session, self._limits))

    async def repository_index(self, _: pb.RepositoryIndexRequest, __: Context) -> pb.RepositoryIndexResponse:
        """The models that are loaded."""
        state = "UNAVAILABLE" if self.draining else "READY"
        index = pb.RepositoryIndexResponse.ModelIndex
        sessions = [model.session for model in self._models.values()]
        return pb.RepositoryIndexResponse(
            models=[index(name=session.name, version=session.version, state=state) for session in sessions]
        )

    async def model_infer(self, request: pb.ModelInferRequest, context: Context) -> pb.ModelInferResponse:
        """Run a model."""
        if self.draining:
            raise Draining("the server is stopping: ask another one")
        self._answering += 1
        self._idle.clear()
        try:
            return await self._infer(request, context.time_remaining())
        finally:
            self._answering -= 1
            if not self._answering:
                self._idle.set()

    async def _infer(self, request: pb.ModelInferRequest, remaining: float | None) -> pb.ModelInferResponse:
        model = self._find(request.model_name, request.model_version)
        session = model.session
        wanted = _wanted_outputs(request, session)
        feed = decode(request.inputs, request.raw_input_contents)
        check_feed(feed, session.manifest.inputs, max_rows=self._limits.max_rows)
        answer = await model.batcher.submit(feed, _deadline(request, remaining))
        response = pb.ModelInferResponse(
            model_name=session.name, model_version=session.version, id=request.id
        )
        encode({name: answer[name] for name in wanted}, response.outputs, response.raw_output_contents)
        return response

    def _find(self, name: str, version: str) -> ServedModel:
        model = self._models.get(name)
        if model is None:
            raise ModelNotFound(f"no model {name!r} is loaded, but: {', '.join(self._models)}")
        if version not in ("", model.session.version):
            raise ModelNotFound(
                f"version {version!r} of {name!r} is not loaded, but version {model.session.version}"
            )
        return model


def answering(method: Answering) -> Answering:
    """Wrap a method so that whatever it raises becomes a status code."""

    async def answer(request: Any, context: Context) -> Any:  # noqa: ANN401  (each method has its messages)
        try:
            return await method(request, context)
        except RequestError as error:
            code, text = STATUS[type(error)], str(error)
        except Exception:
            log.exception("a request failed")
            code, text = grpc.StatusCode.INTERNAL, INTERNAL_TEXT
        hint = RETRY_HINT if code is grpc.StatusCode.RESOURCE_EXHAUSTED else ()
        return await context.abort(code, text, hint)

    return answer


def _wanted_outputs(request: pb.ModelInferRequest, session: Session) -> list[str]:
    known = [tensor.name for tensor in session.manifest.outputs]
    wanted = [output.name for output in request.outputs] or known
    for name in wanted:
        if name not in known:
            raise InvalidTensor(f"output {name!r} was asked for, expected any of: {', '.join(known)}")
    return wanted


def _deadline(request: pb.ModelInferRequest, remaining: float | None) -> float | None:
    """When the request expires, on the loop's clock: gRPC's deadline, or `timeout` (µs) if that is sooner."""
    seconds = [] if remaining is None else [remaining]
    if "timeout" in request.parameters and (timeout := request.parameters["timeout"].int64_param) > 0:
        seconds.append(timeout / 1e6)
    return asyncio.get_running_loop().time() + min(seconds) if seconds else None
