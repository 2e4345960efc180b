"""What each call sends and how its answer is read: the part that the sync and async clients share."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from clients import errors
from clients.errors import ClientError, InvalidRequest, ServerFault
from clients.results import InferResult, ModelConfig, ModelEntry, ModelMetadata, TensorSpec
from export.runner import Feed
from serving.codec import decode, encode
from serving.errors import InvalidTensor
from serving.proto import inference_pb2 as pb
from serving.proto.methods import MAX_MESSAGE_BYTES

T = TypeVar("T")

CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
)

ERRORS: dict[grpc.StatusCode, type[ClientError]] = {
    grpc.StatusCode.UNAVAILABLE: errors.ServerUnavailable,
    # Nobody here cancelled, for that raises no RpcError: the server was shut down under the request.
    grpc.StatusCode.CANCELLED: errors.ServerUnavailable,
    grpc.StatusCode.NOT_FOUND: errors.ModelNotFound,
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequest,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.Overloaded,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
}


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One RPC: its method's name, its request, and how the response is read."""

    method: str
    request: Message
    read: Callable[[Any], T]


def live() -> Call[bool]:
    """Ask whether the server runs."""
    return Call("ServerLive", pb.ServerLiveRequest(), lambda response: bool(response.live))


def ready(model: str | None, version: str) -> Call[bool]:
    """Ask whether the server, or one model, takes inferences."""
    if model is None:
        return Call("ServerReady", pb.ServerReadyRequest(), lambda response: bool(response.ready))
    request = pb.ModelReadyRequest(name=model, version=version)
    return Call("ModelReady", request, lambda response: bool(response.ready))


def metadata(model: str, version: str) -> Call[ModelMetadata]:
    """Ask what a model takes and gives."""
    return Call("ModelMetadata", pb.ModelMetadataRequest(name=model, version=version), _read_metadata)


def config(model: str, version: str) -> Call[ModelConfig]:
    """Ask how a model is batched and what its classes are called."""
    return Call("ModelConfig", pb.ModelConfigRequest(name=model, version=version), _read_config)


def models() -> Call[tuple[ModelEntry, ...]]:
    """Ask which models there are."""
    return Call("RepositoryIndex", pb.RepositoryIndexRequest(), _read_index)


def infer(
    model: str, inputs: Feed, *, outputs: Sequence[str] | None, version: str, request_id: str
) -> Call[InferResult]:
    """Run a model.

    Raises:
        InvalidRequest: an array's dtype is none of the protocol's.
    """
    requested = [pb.ModelInferRequest.InferRequestedOutputTensor(name=name) for name in outputs or ()]
    request = pb.ModelInferRequest(model_name=model, model_version=version, id=request_id, outputs=requested)
    try:
        encode(inputs, request.inputs, request.raw_input_contents)
    except InvalidTensor as error:
        raise InvalidRequest(str(error)) from error
    return Call("ModelInfer", request, _read_inference)


def client_error(error: grpc.RpcError, url: str) -> ClientError:
    """The typed exception of a failed RPC, grpc's sync and async kinds alike."""
    assert isinstance(error, grpc.Call | grpc.aio.AioRpcError)  # noqa: S101  (all that reach a caller are)
    code, details = error.code(), error.details() or "no details"
    kind = ERRORS.get(code, ServerFault)
    if kind is errors.ServerUnavailable:
        return kind(
            f"the server at {url} is unavailable ({details}): start one with `keraport serve`, "
            "or check the address"
        )
    if kind is ServerFault:
        return kind(f"the server at {url} failed: {code.name}, {details}")
    return kind(details)


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
        ModelEntry(name=entry.name, version=entry.version, state=entry.state) for entry in response.models
    )


def _read_inference(response: pb.ModelInferResponse) -> InferResult:
    try:
        outputs = decode(response.outputs, response.raw_output_contents)
    except InvalidTensor as error:
        raise ServerFault(f"the server's answer cannot be read: {error}") from error
    return InferResult(
        model=response.model_name, version=response.model_version, id=response.id, outputs=outputs
    )
