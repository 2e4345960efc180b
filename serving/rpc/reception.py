"""What every RPC passes: it is watched, and whatever it raises becomes a status code."""

from collections.abc import Awaitable, Callable

import grpc

from serving.operations.watching import ID_HEADER, Headers, Watch, Watcher
from serving.rpc.status import RETRY_HINT, Context, status_of

PROTOCOL = "grpc"

Method = Callable[[bytes, Context, Watch], Awaitable[bytes]]
Answering = Callable[[bytes, Context], Awaitable[bytes]]


class Reception:
    """Takes RPCs in."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def watch(self, name: str, context: Context) -> Watch:
        """Watch one request of a method."""

        def headers() -> Headers:
            return context.invocation_metadata() or ()

        return self._watcher.watch(PROTOCOL, name, peer=context.peer, headers=headers)

    def unary(self, name: str, method: Method) -> Answering:
        """Make of a method what answers its RPC."""
        idle = self._watcher.idle

        async def answer(content: bytes, context: Context) -> bytes:
            watch = self.watch(name, context)
            try:
                with watch:
                    answered = await method(content, context, watch)
            except Exception as error:  # noqa: BLE001  (whatever it is, it becomes a status)
                code, text = status_of(error)
            else:
                if not idle:
                    context.set_trailing_metadata(_echoed(watch))
                return answered
            hint = RETRY_HINT if code is grpc.StatusCode.RESOURCE_EXHAUSTED else ()
            return await context.abort(code, text, hint if idle else hint + _echoed(watch))

        return answer


def _echoed(watch: Watch) -> tuple[tuple[str, str], ...]:
    """The id under which a request is told of, for its client."""
    header_id = watch.header_id
    return ((ID_HEADER, header_id),) if header_id else ()
