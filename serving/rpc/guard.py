"""Turn RPCs away whose token does not reach so far, before their message is read."""

from serving.errors import RequestError
from serving.operations.watching import Watcher
from serving.rpc.call import Call
from serving.rpc.reception import PROTOCOL
from serving.rpc.server import Admit
from serving.rpc.status import ended_by
from serving.security.scopes import METHOD_SCOPES, Scope
from serving.security.tokens import Tokens, only


def guard(tokens: Tokens, watcher: Watcher) -> Admit:
    """What lets in those alone whom the tokens do; an RPC that has no scope needs `admin`.

    Args:
        tokens: say who may.
        watcher: is told of those that are turned away.
    """

    def admit(path: str, call: Call) -> None:
        scope = METHOD_SCOPES.get(path, Scope.ADMIN)
        if scope is None:
            return
        headers = call.headers()
        try:
            tokens.check(only([str(value) for name, value in headers if name == "authorization"]), scope)
        except RequestError as refusal:
            method = path.rpartition("/")[2]
            watcher.refused(refusal, PROTOCOL, method, peer=call.peer, headers=call.headers)
            raise ended_by(refusal) from None

    return admit
