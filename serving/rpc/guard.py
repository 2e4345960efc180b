"""Turn RPCs away whose token does not reach so far, before their message is read."""

from typing import Any

import grpc
import grpc.aio

from serving.errors import RequestError
from serving.rpc.status import status_of
from serving.security.scopes import METHOD_SCOPES, Scope
from serving.security.tokens import Tokens


def guarded(handler: grpc.GenericRpcHandler, tokens: Tokens) -> grpc.GenericRpcHandler:
    """The same handler for those alone whom the tokens let in; an RPC that has no scope needs `admin`."""
    return _Guard(handler, tokens)


class _Guard(grpc.GenericRpcHandler):
    def __init__(self, handler: grpc.GenericRpcHandler, tokens: Tokens) -> None:
        self._handler = handler
        self._tokens = tokens

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any] | None":
        handler = self._handler.service(details)
        scope = METHOD_SCOPES.get(details.method, Scope.ADMIN)
        if handler is None or scope is None:
            return handler
        try:
            self._tokens.check(_authorization(details), scope)
        except RequestError as refusal:
            return _refusing(*status_of(refusal))
        return handler


def _authorization(details: grpc.HandlerCallDetails) -> str | None:
    """The header, if it came once; several would leave open which one counts."""
    found = [value for name, value in details.invocation_metadata or () if name == "authorization"]
    return str(found[0]) if len(found) == 1 else None


def _refusing(code: grpc.StatusCode, text: str) -> "grpc.RpcMethodHandler[Any, Any]":
    """Handle whatever comes. As one that takes a stream it need not wait for a message, however large."""

    async def refuse(_: object, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        return await context.abort(code, text)

    return grpc.stream_unary_rpc_method_handler(refuse)
