"""What an inference request asks for, read from its body before the model is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from numpy.typing import NDArray

from serving.errors import InvalidRequest, InvalidTensor, quoted
from serving.inference import Inference
from serving.operations.watching import Watch
from serving.protocol import MAX_ID_BYTES, MAX_NAMED, SEQUENCE, SHARED_MEMORY
from serving.rest.binary import read_binary, split_body
from serving.rest.json_codec import decode_json, read_values
from serving.rest.messages import InferenceRequest, InputTensor, Parameters, RequestedOutput
from serving.rest.outline import check_outline

MAX_PRIORITY = 2**31 - 1

_DECODER = msgspec.json.Decoder(InferenceRequest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Which outputs are answered behind the JSON.

    Attributes:
        binary: those that the request says it of.
        otherwise: whether the others are.
    """

    binary: Mapping[str, bool]
    otherwise: bool

    def is_binary(self, name: str) -> bool:
        """Whether an output is."""
        return self.binary.get(name, self.otherwise)


def read_request(
    body: bytearray, header: str | None, *, model: str, version: str, wire_bytes: int, watch: Watch
) -> tuple[Inference, Form]:
    """Read an inference request.

    Args:
        body: JSON, and what stands behind it.
        header: `Inference-Header-Content-Length`; None where all is JSON.
        model: from the path.
        version: likewise; empty for the newest.
        wire_bytes: of the body as it came.
        watch: is told its id as soon as that is known.

    Raises:
        InvalidRequest: it is not what the protocol says, or asks for what this server does not do.
        InvalidTensor: a tensor contradicts itself.
    """
    head, content = split_body(body, header)
    check_outline(head)
    request = decode_json(head, _DECODER, "the request")
    parameters = request.parameters or {}
    request_id = _id(request)
    watch.about(model, version, request_id)
    _refuse("request", parameters, SEQUENCE)
    outputs = request.outputs or []
    named = {"inputs": len(request.inputs), "outputs": len(outputs), "parameters": len(parameters)}
    for own in [each.parameters for each in request.inputs] + [each.parameters for each in outputs]:
        named["parameters"] = max(named["parameters"], len(own or ()))
    for kind, count in named.items():
        if count > MAX_NAMED:
            raise InvalidRequest(f"{count} {kind} came, expected at most {MAX_NAMED}")
    inference = Inference(
        model=model,
        version=version,
        id=request_id,
        feed=_feed(request.inputs, content),
        outputs=_wanted(outputs),
        timeout_s=_timeout_s(parameters),
        priority=_integer(parameters, "priority", "request", at_most=MAX_PRIORITY),
        wire_bytes=wire_bytes,
    )
    return inference, Form(
        binary={
            each.name: _flag(each.parameters, "binary_data", f"output {quoted(each.name)}")
            for each in outputs
            if "binary_data" in (each.parameters or {})
        },
        otherwise=_flag(parameters, "binary_data_output", "request"),
    )


def _id(request: InferenceRequest) -> str:
    name = request.id or ""
    if len(name.encode()) > MAX_ID_BYTES:
        raise InvalidRequest(f"the id {quoted(name)} is over {MAX_ID_BYTES} bytes: send a shorter one")
    return name


def _feed(inputs: list[InputTensor], content: memoryview) -> dict[str, NDArray[Any]]:
    names = [tensor.name for tensor in inputs]
    if len(set(names)) < len(names):
        raise InvalidTensor("an input came twice: send each once")
    feed: dict[str, NDArray[Any]] = {}
    sizes: list[tuple[InputTensor, int]] = []
    for tensor in inputs:
        place = f"input {quoted(tensor.name)}"
        parameters = tensor.parameters or {}
        _refuse(place, parameters, SHARED_MEMORY)
        binary = "binary_data_size" in parameters
        if binary == bool(memoryview(tensor.data)):
            raise InvalidTensor(
                f"{place} needs either data or the parameter binary_data_size: send one of them"
            )
        if binary:
            sizes.append((tensor, _integer(parameters, "binary_data_size", place)))
        else:
            feed[tensor.name] = read_values(tensor.name, tensor.datatype, tensor.shape, tensor.data)
    return feed | read_binary(sizes, content)


def _wanted(outputs: list[RequestedOutput]) -> dict[str, int]:
    wanted: dict[str, int] = {}
    for output in outputs:
        place = f"output {quoted(output.name)}"
        if output.name in wanted:
            raise InvalidRequest(f"{place} was asked for twice: ask once")
        parameters = output.parameters or {}
        _refuse(place, parameters, SHARED_MEMORY)
        wanted[output.name] = _integer(parameters, "classification", place)
    return wanted


def _refuse(place: str, parameters: Parameters, unsupported: tuple[str, ...]) -> None:
    for name in unsupported:
        if parameters.get(name):  # 0, false and "" ask for nothing
            raise InvalidRequest(f"the {place} has the parameter {name}, not supported here: leave it out")


def _timeout_s(parameters: Parameters) -> float | None:
    microseconds = _integer(parameters, "timeout", "request")
    return microseconds / 1e6 if microseconds else None


def _integer(parameters: Parameters, name: str, place: str, *, at_most: int = 2**63 - 1) -> int:
    value = parameters.get(name)
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value <= at_most:
        raise InvalidRequest(
            f"the {place} has the parameter {name}, expected a whole number from 0 to {at_most}"
        )
    return value


def _flag(parameters: Parameters | None, name: str, place: str) -> bool:
    value = (parameters or {}).get(name)
    if value is not None and type(value) is not bool:
        raise InvalidRequest(f"the {place} has the parameter {name}, expected true or false")
    return bool(value)
