"""What an inference request asks for, read once, so that the message need not be kept while it waits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from export.manifest import Manifest
from export.runner import Feed
from serving.codec import check_feed, decode
from serving.errors import InvalidRequest, InvalidTensor, quoted, shortened
from serving.proto import inference_pb2 as pb

MAX_ID_BYTES = 1024

# Triton's parameters that change what a request means: whoever sends one must not be answered without it.
# Others, such as `priority` or `binary_data_output`, change no value of the answer and are passed over.
SHARED_MEMORY = ("shared_memory_region", "shared_memory_offset", "shared_memory_byte_size")
UNSUPPORTED_OF_REQUEST = ("sequence_id", "sequence_start", "sequence_end")
UNSUPPORTED_OF_INPUT = SHARED_MEMORY
UNSUPPORTED_OF_OUTPUT = SHARED_MEMORY


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """A request that a model can answer.

    Attributes:
        id: to be echoed.
        feed: input name to array, as the model takes them.
        outputs: the names of those wanted, each with how many classes to give in place of its values, 0 for
            the values; all of the model's if empty.
        timeout_s: the request's own; None if it has none.
    """

    id: str
    feed: Feed
    outputs: Mapping[str, int]
    timeout_s: float | None


def read_inference(request: pb.ModelInferRequest, manifest: Manifest, *, max_rows: int) -> Inference:
    """Read and check a request.

    Args:
        request: the message.
        manifest: of the model that it names.
        max_rows: that one request may hold.

    Raises:
        InvalidRequest: its id is too long, or it asks for what this server does not do.
        InvalidTensor: its tensors are not what the protocol and the model expect.
    """
    if len(request.id.encode()) > MAX_ID_BYTES:
        raise InvalidRequest(f"the id {quoted(request.id)} is over {MAX_ID_BYTES} bytes: send a shorter one")
    _refuse_unsupported(request)
    outputs = wanted_outputs(request)
    _check_outputs(outputs, manifest)
    feed = decode(request.inputs, request.raw_input_contents)
    check_feed(feed, manifest.inputs, max_rows=max_rows)
    return Inference(id=request.id, feed=feed, outputs=outputs, timeout_s=_timeout_s(request))


def _refuse_unsupported(request: pb.ModelInferRequest) -> None:
    _refuse("request", request.parameters, UNSUPPORTED_OF_REQUEST)
    for tensor in request.inputs:
        _refuse(f"input {quoted(tensor.name)}", tensor.parameters, UNSUPPORTED_OF_INPUT)
    for output in request.outputs:
        _refuse(f"output {quoted(output.name)}", output.parameters, UNSUPPORTED_OF_OUTPUT)


def _refuse(place: str, parameters: Mapping[str, pb.InferParameter], unsupported: tuple[str, ...]) -> None:
    for name in unsupported:
        # 0, false and "" ask for nothing: no sequence, no top classes, no region.
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


def _check_outputs(wanted: Iterable[str], manifest: Manifest) -> None:
    known = [tensor.name for tensor in manifest.outputs]
    for name in wanted:
        if name not in known:
            expected = ", ".join(known)
            raise InvalidTensor(f"output {quoted(name)} was asked for, expected any of: {expected}")


def _timeout_s(request: pb.ModelInferRequest) -> float | None:
    if "timeout" not in request.parameters:
        return None
    microseconds = request.parameters["timeout"].int64_param
    return microseconds / 1e6 if microseconds > 0 else None
