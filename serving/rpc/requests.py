"""What an inference request asks for, read once, so that the message need not be kept while it waits."""

from collections.abc import Mapping
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from serving.codec import decode
from serving.errors import InvalidRequest, quoted, shortened
from serving.inference import Inference
from serving.proto import inference_pb2 as pb

MAX_ID_BYTES = 1024

# Triton's parameters that change what a request means: whoever sends one must not be answered without it.
# Others, such as `binary_data_output`, change no value of the answer and are passed over.
SHARED_MEMORY = ("shared_memory_region", "shared_memory_offset", "shared_memory_byte_size")
UNSUPPORTED_OF_REQUEST = ("sequence_id", "sequence_start", "sequence_end")

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


def read_inference(content: bytes, remaining_s: float | None) -> Inference:
    """Read a request, as far as it does not take the model.

    Args:
        content: its bytes.
        remaining_s: until the RPC's deadline.

    Raises:
        InvalidRequest: it cannot be read, its id is too long, or it asks for what this server does not do.
        InvalidTensor: its tensors contradict the protocol.
    """
    request = read(pb.ModelInferRequest, content)
    if len(request.id.encode()) > MAX_ID_BYTES:
        raise InvalidRequest(f"the id {quoted(request.id)} is over {MAX_ID_BYTES} bytes: send a shorter one")
    _refuse_unsupported(request)
    return Inference(
        model=request.model_name,
        version=request.model_version,
        id=request.id,
        feed=decode(request.inputs, request.raw_input_contents),
        outputs=wanted_outputs(request),
        timeout_s=_timeout_s(request),
        remaining_s=remaining_s,
        priority=_priority(request),
        wire_bytes=len(content),
    )


def _refuse_unsupported(request: pb.ModelInferRequest) -> None:
    _refuse("request", request.parameters, UNSUPPORTED_OF_REQUEST)
    for tensor in request.inputs:
        _refuse(f"input {quoted(tensor.name)}", tensor.parameters, SHARED_MEMORY)
    for output in request.outputs:
        _refuse(f"output {quoted(output.name)}", output.parameters, SHARED_MEMORY)


def _refuse(place: str, parameters: Mapping[str, pb.InferParameter], unsupported: tuple[str, ...]) -> None:
    for name in unsupported:
        # 0, false and "" ask for nothing: no sequence, no region.
        if name in parameters and any(value for _, value in parameters[name].ListFields()):
            raise InvalidRequest(f"the {place} has the parameter {name}, not supported here: leave it out")


def wanted_outputs(request: pb.ModelInferRequest) -> dict[str, int]:
    """The outputs that a request names, each with its parameter `classification`, 0 if it has none.

    Raises:
        InvalidRequest: that parameter is no whole number from 0.
    """
    wanted: dict[str, int] = {}
    for output in request.outputs:
        k = 0
        if "classification" in output.parameters:
            for kind, value in output.parameters["classification"].ListFields():
                # As elsewhere, 0, false and "" ask for nothing.
                if value and (kind.name != "int64_param" or value < 0):
                    raise InvalidRequest(
                        f"output {quoted(output.name)} has the parameter classification as {kind.name} "
                        f"{shortened(repr(value))}, expected int64_param from 0"
                    )
                k = int(value or 0)
        wanted[output.name] = k
    return wanted


def _timeout_s(request: pb.ModelInferRequest) -> float | None:
    microseconds = _whole(request.parameters, "timeout")
    return microseconds / 1e6 if microseconds > 0 else None


def _priority(request: pb.ModelInferRequest) -> int:
    return max(0, _whole(request.parameters, "priority"))


def _whole(parameters: Mapping[str, pb.InferParameter], name: str) -> int:
    """A parameter's whole number, whichever of the protocol's two kinds it came as; 0 for none."""
    if name not in parameters:
        return 0
    parameter = parameters[name]
    return parameter.int64_param or parameter.uint64_param
