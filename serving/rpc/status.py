"""The one table that turns errors into gRPC's status codes."""

import logging
from collections.abc import Mapping

import grpc

from serving.errors import (
    Draining,
    Expired,
    Forbidden,
    InvalidRequest,
    InvalidTensor,
    LoadRefused,
    ModelNotFound,
    QueueFull,
    RequestError,
    Unauthenticated,
)
from serving.protocol import INTERNAL_TEXT
from serving.rpc.call import Ended

log = logging.getLogger(__name__)

STATUS: Mapping[type[RequestError], grpc.StatusCode] = {
    ModelNotFound: grpc.StatusCode.NOT_FOUND,
    InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    InvalidTensor: grpc.StatusCode.INVALID_ARGUMENT,
    QueueFull: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Expired: grpc.StatusCode.DEADLINE_EXCEEDED,
    Draining: grpc.StatusCode.UNAVAILABLE,
    LoadRefused: grpc.StatusCode.FAILED_PRECONDITION,
    Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    Forbidden: grpc.StatusCode.PERMISSION_DENIED,
}

# gRPC carries the text in a header, percent-encoded, and clients take 8 KiB of headers.
MAX_TEXT = 600

# gRPC's own retry hint: a client with a retry policy waits so long before it asks a full queue again.
RETRY_HINT = (("grpc-retry-pushback-ms", "100"),)


def status_of(error: Exception) -> tuple[grpc.StatusCode, str]:
    """An error's code and text; what is not a request's own is logged, and not told to the client."""
    if isinstance(error, RequestError):
        return STATUS[type(error)], str(error)[:MAX_TEXT]
    log.error("a request failed", exc_info=error)
    return grpc.StatusCode.INTERNAL, INTERNAL_TEXT


def ended_by(error: Exception) -> Ended:
    """How an RPC ends in which an error was raised."""
    if isinstance(error, Ended):
        return error
    code, text = status_of(error)
    return Ended(code, text, RETRY_HINT if code is grpc.StatusCode.RESOURCE_EXHAUSTED else ())


def code_name(error: RequestError) -> str:
    """The name of an error's status code; HTTP's own errors have that of the kind that they are of."""
    return next(STATUS[kind].name for kind in type(error).__mro__ if kind in STATUS)
