"""Which typed exception a status code becomes."""

import grpc
import grpc.aio

from clients import errors
from clients.errors import ClientError, ServerFault
from serving.proto import inference_pb2 as pb

ERRORS: dict[grpc.StatusCode, type[ClientError]] = {
    grpc.StatusCode.UNAVAILABLE: errors.ServerUnavailable,
    # Nobody here cancelled, for that raises no RpcError: the server was shut down under the request.
    grpc.StatusCode.CANCELLED: errors.ServerUnavailable,
    grpc.StatusCode.UNAUTHENTICATED: errors.Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: errors.PermissionDenied,
    grpc.StatusCode.NOT_FOUND: errors.ModelNotFound,
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequest,
    grpc.StatusCode.FAILED_PRECONDITION: errors.FailedPrecondition,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.Overloaded,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
}
_BY_NAME = {code.name: kind for code, kind in ERRORS.items()}


def client_error(error: grpc.RpcError, url: str) -> ClientError:
    """The typed exception of a failed RPC, grpc's sync and async kinds alike."""
    assert isinstance(error, grpc.Call | grpc.aio.AioRpcError)  # noqa: S101  (all that reach a caller are)
    code, details = error.code(), error.details() or "no details"
    kind = ERRORS.get(code, ServerFault)
    if kind is errors.ServerUnavailable:
        if "handshake" in details.lower():
            return kind(
                f"the server at {url} and this client do not agree on TLS ({details}): check certificates, "
                "and that the server uses TLS"
            )
        return kind(
            f"the server at {url} is unavailable ({details}): start one with `keraport serve`, "
            "or check the address"
        )
    if kind is ServerFault:
        return kind(f"the server at {url} failed: {code.name}, {details}")
    return kind(details)


def answer_error(response: pb.ModelStreamInferResponse, url: str) -> ClientError:
    """The typed exception of one request of a stream, whose response has an error message."""
    # keraport says which status the request alone would have had; other servers have the text only.
    parameters = response.infer_response.parameters
    status = parameters["status"].string_param if "status" in parameters else ""
    kind = _BY_NAME.get(status)
    if kind is None:
        return ServerFault(f"the server at {url} failed: {status or 'UNKNOWN'}, {response.error_message}")
    return kind(response.error_message)
