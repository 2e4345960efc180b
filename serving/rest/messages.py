"""The JSON objects of inference requests and answers."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType, field

Parameters = dict[str, bool | int | float | str | None]


class InputTensor(msgspec.Struct, kw_only=True):
    """One input; its values are in `data`, or behind the JSON where it has `binary_data_size`."""

    name: str
    datatype: Annotated[str, Meta(examples=["FP32"])]
    shape: Annotated[list[int], Meta(description="row-major", max_length=32)]
    parameters: Parameters | None = None
    data: Annotated[Raw, Meta(description="the values, flat or nested as the shape says")] = field(
        default_factory=Raw
    )


class RequestedOutput(msgspec.Struct, kw_only=True):
    """One output that is wanted; its parameters may be `binary_data` and `classification`."""

    name: str
    parameters: Parameters | None = None


class InferenceRequest(msgspec.Struct, kw_only=True):
    """Inputs for a model; the parameters may be `timeout` (µs), `priority` and `binary_data_output`."""

    id: str | None = None
    parameters: Parameters | None = None
    inputs: list[InputTensor]
    outputs: list[RequestedOutput] | None = None


class OutputTensor(msgspec.Struct, kw_only=True):
    """One output; its values are in `data`, or behind the JSON where it has `binary_data_size`."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, int] | UnsetType = UNSET
    data: list[Any] | UnsetType = UNSET


class InferenceAnswer(msgspec.Struct, kw_only=True):
    """A model's outputs; `id` is the request's, if it had one."""

    model_name: str
    model_version: str
    id: str | UnsetType = UNSET
    outputs: list[OutputTensor]


class ErrorAnswer(msgspec.Struct, kw_only=True):
    """What was wrong, and what to do."""

    error: str


class ServerMetadata(msgspec.Struct, kw_only=True):
    """The server's name, its version and the protocol's extensions that it has."""

    name: str
    version: str
    extensions: list[str]


class Live(msgspec.Struct, kw_only=True):
    """Whether the server should be left running."""

    live: bool


class Ready(msgspec.Struct, kw_only=True):
    """Whether inferences are taken; of one model if it is named."""

    name: str | UnsetType = UNSET
    ready: bool


class IndexRequest(msgspec.Struct, kw_only=True):
    """Which models of the repository are listed: those that are ready, or all."""

    ready: bool = False


class IndexedModel(msgspec.Struct, kw_only=True):
    """One version of a model in the repository."""

    name: str
    version: str
    state: str
    reason: str


class ControlRequest(msgspec.Struct, kw_only=True):
    """How to load or unload a model; nothing of it can be chosen here."""

    parameters: dict[str, Any] | None = None
