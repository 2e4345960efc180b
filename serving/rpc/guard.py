"""Turn RPCs away whose token does not reach so far, before their message is read."""

from typing import Any

import grpc

from serving.errors import RequestError
from serving.operations.watching import Watcher
from serving.rpc.reception import PROTOCOL
from serving.rpc.status import Context, status_of
from serving.security.scopes import METHOD_SCOPES, Scope
from serving.security.tokens import Tokens, only


def guarded(handler: grpc.GenericRpcHandler, tokens: Tokens, watcher: Watcher) -> grpc.GenericRpcHandler:
    """The same handler for those alone whom the tokens let in; an RPC that has no scope needs `admin`.

    Args:
        handler: of the RPCs.
        tokens: say who may.
        watcher: is told of those that are turned away.
    """
    return _Guard(handler, tokens, watcher)


class _Guard(grpc.GenericRpcHandler):
    def __init__(self, handler: grpc.GenericRpcHandler, tokens: Tokens, watcher: Watcher) -> None:
        self._handler = handler
        self._tokens = tokens
        self._watcher = watcher

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any] | None":
        handler = self._handler.service(details)
        scope = METHOD_SCOPES.get(details.method, Scope.ADMIN)
        if handler is None or scope is None:
            return handler
        try:
            self._tokens.check(_authorization(details), scope)
        except RequestError as refusal:
            return self._refusing(details.method.rpartition("/")[2], refusal)
        return handler

    def _refusing(self, method: str, refusal: RequestError) -> "grpc.RpcMethodHandler[Any, Any]":
        """Handle whatever comes. As one that takes a stream it need not wait for a message, however large."""

        async def refuse(_: object, context: Context) -> bytes:
            headers = context.invocation_metadata
            self._watcher.refused(
                refusal, PROTOCOL, method, peer=context.peer, headers=lambda: headers() or ()
            )
            return await context.abort(*status_of(refusal))

        return grpc.stream_unary_rpc_method_handler(refuse)


def _authorization(details: grpc.HandlerCallDetails) -> str | None:
    metadata = details.invocation_metadata or ()
    return only([str(value) for name, value in metadata if name == "authorization"])
