"""What each call sends and how its answer is read: the part that the sync and async clients share."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from clients.errors import ServerFault
from clients.names import of_unicode
from clients.requests import InferRequest
from clients.results import InferResult, ModelConfig, ModelEntry, ModelMetadata, TensorSpec
from clients.statistics import ModelStatistics, read_statistics
from serving.codec import decode
from serving.errors import InvalidTensor
from serving.proto import inference_pb2 as pb

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One RPC: its method's name, its request, and how the response is read."""

    method: str
    request: Message
    read: Callable[[Any], T]


def live() -> Call[bool]:
    """Ask whether the server runs."""
    return Call("ServerLive", pb.ServerLiveRequest(), lambda response: bool(response.live))


@of_unicode()
def ready(model: str | None, version: str) -> Call[bool]:
    """Ask whether the server, or one model, takes inferences."""
    if model is None:
        return Call("ServerReady", pb.ServerReadyRequest(), lambda response: bool(response.ready))
    request = pb.ModelReadyRequest(name=model, version=version)
    return Call("ModelReady", request, lambda response: bool(response.ready))


@of_unicode()
def metadata(model: str, version: str) -> Call[ModelMetadata]:
    """Ask what a model takes and gives."""
    return Call("ModelMetadata", pb.ModelMetadataRequest(name=model, version=version), _read_metadata)


@of_unicode()
def config(model: str, version: str) -> Call[ModelConfig]:
    """Ask how a model is batched and what its classes are called."""
    return Call("ModelConfig", pb.ModelConfigRequest(name=model, version=version), _read_config)


def models() -> Call[tuple[ModelEntry, ...]]:
    """Ask which models there are, and whether they can be asked."""
    return Call("RepositoryIndex", pb.RepositoryIndexRequest(), _read_index)


@of_unicode()
def statistics(model: str, version: str) -> Call[tuple[ModelStatistics, ...]]:
    """Ask what was counted of one model, or of all."""
    return Call("ModelStatistics", pb.ModelStatisticsRequest(name=model, version=version), read_statistics)


@of_unicode()
def load(model: str) -> Call[None]:
    """Let the server look at a model's versions anew, and serve what is there now."""
    request = pb.RepositoryModelLoadRequest(model_name=model)
    return Call("RepositoryModelLoad", request, lambda _: None)


@of_unicode()
def unload(model: str) -> Call[None]:
    """Let the server serve a model no longer."""
    request = pb.RepositoryModelUnloadRequest(model_name=model)
    return Call("RepositoryModelUnload", request, lambda _: None)


def infer(request: InferRequest) -> Call[InferResult]:
    """Run a model.

    Raises:
        InputError: the request contradicts itself.
        InvalidRequest: an array's dtype is none of the protocol's.
    """
    return Call("ModelInfer", request.message(), read_inference)


def _read_metadata(response: pb.ModelMetadataResponse) -> ModelMetadata:
    return ModelMetadata(
        name=response.name,
        versions=tuple(response.versions),
        platform=response.platform,
        inputs=tuple(_read_spec(tensor) for tensor in response.inputs),
        outputs=tuple(_read_spec(tensor) for tensor in response.outputs),
    )


def _read_spec(tensor: pb.ModelMetadataResponse.TensorMetadata) -> TensorSpec:
    return TensorSpec(name=tensor.name, datatype=tensor.datatype, shape=tuple(tensor.shape))


def _read_config(response: pb.ModelConfigResponse) -> ModelConfig:
    found = response.config
    # Other servers have no such parameter, and may mean something else by it.
    try:
        labels = json.loads(found.parameters["labels"].string_value)
    except ValueError:
        labels = []
    return ModelConfig(
        name=found.name,
        platform=found.platform,
        max_batch_size=found.max_batch_size,
        labels=tuple(map(str, labels)) if isinstance(labels, list) else (),
    )


def _read_index(response: pb.RepositoryIndexResponse) -> tuple[ModelEntry, ...]:
    return tuple(
        ModelEntry(name=entry.name, version=entry.version, state=entry.state, reason=entry.reason)
        for entry in response.models
    )


def read_inference(response: pb.ModelInferResponse) -> InferResult:
    """The answer that a response holds.

    Raises:
        ServerFault: it contradicts itself.
    """
    try:
        outputs = decode(response.outputs, response.raw_output_contents)
    except InvalidTensor as error:
        raise ServerFault(f"the server's answer cannot be read: {error}") from error
    return InferResult(
        model=response.model_name, version=response.model_version, id=response.id, outputs=outputs
    )
