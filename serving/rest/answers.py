"""What is answered to an inference, and to whom something failed."""

import logging
from typing import Any

import msgspec
from starlette.responses import Response

from serving.errors import InvalidRequest, RequestError
from serving.inference import Outcome
from serving.protocol import INTERNAL_TEXT
from serving.rest.binary import write_binary
from serving.rest.errors import HEADERS, STATUS
from serving.rest.json_codec import write_values
from serving.rest.messages import ErrorAnswer, InferenceAnswer, OutputTensor
from serving.rest.requests import Form

log = logging.getLogger(__name__)

LENGTH_HEADER = "Inference-Header-Content-Length"

_ENCODER = msgspec.json.Encoder()


def json_response(content: Any, status: int = 200) -> Response:  # noqa: ANN401  (whatever is told)
    """Answer with JSON."""
    return Response(
        _ENCODER.encode(content), status, headers=HEADERS.get(status), media_type="application/json"
    )


def error_response(error: Exception) -> Response:
    """Answer that something failed; what it was is told to whoever can mend it."""
    if isinstance(error, RequestError):
        return json_response(ErrorAnswer(error=str(error)), STATUS[type(error)])
    log.error("a request failed", exc_info=error)
    return json_response(ErrorAnswer(error=INTERNAL_TEXT), 500)


def outcome_response(outcome: Outcome, form: Form, *, max_bytes: int) -> Response:
    """Answer an inference.

    Args:
        outcome: of the inference.
        form: in which its outputs are wanted.
        max_bytes: of them all.

    Raises:
        InvalidRequest: they are larger.
        InvalidTensor: an output does not have that form.
    """
    size = sum(array.nbytes for array in outcome.outputs.values())
    if size > max_bytes:
        raise InvalidRequest(
            f"the answer would be {size} bytes, expected at most {max_bytes}: send fewer rows or ask for less"
        )
    outputs: list[OutputTensor] = []
    raw: list[bytes] = []
    for name, array in outcome.outputs.items():
        if form.is_binary(name):
            output, content = write_binary(name, array)
            raw.append(content)
        else:
            output = write_values(name, array)
        outputs.append(output)
    answer = InferenceAnswer(
        model_name=outcome.model,
        model_version=outcome.version,
        id=outcome.id or msgspec.UNSET,
        outputs=outputs,
    )
    if not raw:
        return json_response(answer)
    head = _ENCODER.encode(answer)
    headers = {LENGTH_HEADER: str(len(head))}
    return Response(b"".join([head, *raw]), headers=headers, media_type="application/octet-stream")
