"""What an inference request asks for, read once, so that the message need not be kept while it waits."""

from collections.abc import Mapping
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from serving.codec import decode
from serving.errors import InvalidRequest, quoted, shortened
from serving.inference import Inference
from serving.operations.watching import Watch
from serving.proto import inference_pb2 as pb
from serving.protocol import MAX_ID_BYTES, MAX_NAMED, MAX_TYPED_VALUES, SEQUENCE, SHARED_MEMORY

WHOLE_KINDS = ("int64_param", "uint64_param")

Parameters = Mapping[str, pb.InferParameter]

AnyMessage = TypeVar("AnyMessage", bound=Message)


def read(kind: type[AnyMessage], content: bytes) -> AnyMessage:
    """The message of a request's bytes.

    Raises:
        InvalidRequest: they are none.
    """
    try:
        return kind.FromString(content)
    except DecodeError as error:
        name = kind.DESCRIPTOR.name
        raise InvalidRequest(f"the request's bytes are no {name}: send one of the protocol's") from error


def read_inference(content: bytes, remaining_s: float | None, watch: Watch | None = None) -> Inference:
    """Read a request, as far as it does not take the model.

    Args:
        content: its bytes.
        remaining_s: until the RPC's deadline.
        watch: is told what it is about as soon as that is known.

    Raises:
        InvalidRequest: it cannot be read, its id is too long, or it asks for what this server does not do.
        InvalidTensor: its tensors contradict the protocol.
    """
    request = read(pb.ModelInferRequest, content)
    if watch is not None:
        fits = len(request.id.encode()) <= MAX_ID_BYTES
        watch.about(request.model_name, request.model_version, request.id if fits else "")
    _check_request(request)
    return Inference(
        model=request.model_name,
        version=request.model_version,
        id=request.id,
        feed=decode(request.inputs, request.raw_input_contents),
        outputs=_wanted_outputs(request),
        timeout_s=_timeout_s(request),
        remaining_s=remaining_s,
        priority=_whole("request", request.parameters, "priority"),
        wire_bytes=len(content),
    )


def _check_request(request: pb.ModelInferRequest) -> None:
    """Refuse what is too much, and what this server does not do, before any value is looked at."""
    if len(request.id.encode()) > MAX_ID_BYTES:
        raise InvalidRequest(f"the id {quoted(request.id)} is over {MAX_ID_BYTES} bytes: send a shorter one")
    named = {
        "inputs": len(request.inputs),
        "outputs": len(request.outputs),
        "parameters": len(request.parameters),
    }
    for kind, count in named.items():
        if count > MAX_NAMED:
            raise InvalidRequest(f"{count} {kind} came, expected at most {MAX_NAMED}")
    typed = sum(len(values) for tensor in request.inputs for _, values in tensor.contents.ListFields())
    if typed > MAX_TYPED_VALUES:
        raise InvalidRequest(
            f"{typed} values came typed, expected at most {MAX_TYPED_VALUES}: send raw contents"
        )
    _refuse("request", request.parameters, SEQUENCE)
    for tensor in request.inputs:
        _refuse(f"input {quoted(tensor.name)}", tensor.parameters, SHARED_MEMORY)
    for output in request.outputs:
        _refuse(f"output {quoted(output.name)}", output.parameters, SHARED_MEMORY)


def _refuse(place: str, parameters: Parameters, unsupported: tuple[str, ...]) -> None:
    for name in unsupported:
        # 0, false and "" ask for nothing: no sequence, no region.
        if name in parameters and any(value for _, value in parameters[name].ListFields()):
            raise InvalidRequest(f"the {place} has the parameter {name}, not supported here: leave it out")


def _wanted_outputs(request: pb.ModelInferRequest) -> dict[str, int]:
    """The outputs that a request names, each with its parameter `classification`, 0 if it has none."""
    wanted: dict[str, int] = {}
    for output in request.outputs:
        place = f"output {quoted(output.name)}"
        if output.name in wanted:
            raise InvalidRequest(f"{place} was asked for twice: ask once")
        wanted[output.name] = _whole(place, output.parameters, "classification")
    return wanted


def _timeout_s(request: pb.ModelInferRequest) -> float | None:
    microseconds = _whole("request", request.parameters, "timeout")
    return microseconds / 1e6 if microseconds else None


def _whole(place: str, parameters: Parameters, name: str) -> int:
    """A parameter's whole number, whichever of the protocol's two kinds it came as; 0 for none."""
    if name not in parameters:
        return 0
    for kind, value in parameters[name].ListFields():
        # As elsewhere, 0, false and "" ask for nothing.
        if value and (kind.name not in WHOLE_KINDS or value < 0):
            raise InvalidRequest(
                f"{place} has the parameter {name} as {kind.name} {shortened(repr(value))}, "
                "expected int64_param from 0"
            )
        return int(value or 0)
    return 0
