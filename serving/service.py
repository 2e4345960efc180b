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
from serving.classification import select
from serving.codec import encode
from serving.errors import (
    Draining,
    Expired,
    InvalidRequest,
    InvalidTensor,
    ModelNotFound,
    QueueFull,
    RequestError,
    quoted,
)
from serving.model_config import config_message, metadata_message
from serving.parcel import Parcel
from serving.proto import inference_pb2 as pb
from serving.requests import read_inference
from serving.session import Session

log = logging.getLogger(__name__)

STATUS: Mapping[type[RequestError], grpc.StatusCode] = {
    ModelNotFound: grpc.StatusCode.NOT_FOUND,
    InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    InvalidTensor: grpc.StatusCode.INVALID_ARGUMENT,
    QueueFull: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Expired: grpc.StatusCode.DEADLINE_EXCEEDED,
    Draining: grpc.StatusCode.UNAVAILABLE,
}
INTERNAL_TEXT = "internal error: the server's log has the details"

# gRPC carries the text in a header, percent-encoded, and clients take 8 KiB of headers.
MAX_TEXT = 600

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
        """The protocol's name of each method, and what answers a parcel with its request."""
        return {
            "ServerLive": answering(unpacking(self.server_live)),
            "ServerReady": answering(unpacking(self.server_ready)),
            "ServerMetadata": answering(unpacking(self.server_metadata)),
            "ModelReady": answering(unpacking(self.model_ready)),
            "ModelMetadata": answering(unpacking(self.model_metadata)),
            "ModelConfig": answering(unpacking(self.model_config)),
            "ModelInfer": answering(self.model_infer),
            "RepositoryIndex": answering(unpacking(self.repository_index)),
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
        extensions = ["model_configuration", "classification"]
        return pb.ServerMetadataResponse(name="keraport", version=version, extensions=extensions)

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

    async def model_infer(self, parcel: Parcel, context: Context) -> pb.ModelInferResponse:
        """Run a model."""
        if self.draining:
            raise Draining("the server is stopping: ask another one")
        self._answering += 1
        self._idle.clear()
        try:
            return await self._infer(parcel, context.time_remaining())
        finally:
            self._answering -= 1
            if not self._answering:
                self._idle.set()

    async def _infer(self, parcel: Parcel, remaining: float | None) -> pb.ModelInferResponse:
        request: pb.ModelInferRequest = parcel.take()
        model = self._find(request.model_name, request.model_version)
        session = model.session
        inference = read_inference(request, session.manifest, max_rows=self._limits.max_rows)
        del request  # only the arrays wait
        answer = await model.batcher.submit(
            inference.feed, _deadline(remaining, inference.timeout_s), held_bytes=parcel.wire_bytes
        )
        response = pb.ModelInferResponse(
            model_name=session.name, model_version=session.version, id=inference.id
        )
        outputs = select(answer, inference.outputs, session.manifest)
        encode(outputs, response.outputs, response.raw_output_contents)
        return response

    def _find(self, name: str, version: str) -> ServedModel:
        model = self._models.get(name)
        if model is None:
            raise ModelNotFound(f"no model {quoted(name)} is loaded, but: {', '.join(self._models)}")
        if version not in ("", model.session.version):
            loaded = model.session.version
            raise ModelNotFound(
                f"version {quoted(version)} of {quoted(name)} is not loaded, but version {loaded}"
            )
        return model


def unpacking(method: Answering) -> Answering:
    """Wrap a method that takes its request itself."""

    async def answer(parcel: Parcel, context: Context) -> Any:  # noqa: ANN401  (each method has its messages)
        return await method(parcel.take(), context)

    return answer


def answering(method: Answering) -> Answering:
    """Wrap a method so that whatever it raises becomes a status code."""

    async def answer(parcel: Parcel, context: Context) -> Any:  # noqa: ANN401  (each method has its messages)
        try:
            return await method(parcel, context)
        except RequestError as error:
            code, text = STATUS[type(error)], str(error)[:MAX_TEXT]
        except Exception:
            log.exception("a request failed")
            code, text = grpc.StatusCode.INTERNAL, INTERNAL_TEXT
        hint = RETRY_HINT if code is grpc.StatusCode.RESOURCE_EXHAUSTED else ()
        return await context.abort(code, text, hint)

    return answer


def _deadline(*seconds: float | None) -> float | None:
    """When a request expires, on the loop's clock: gRPC's deadline, or its own if that is sooner."""
    known = [each for each in seconds if each is not None]
    return asyncio.get_running_loop().time() + min(known) if known else None
