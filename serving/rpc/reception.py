"""What every RPC of the inference service passes: it is watched."""

from collections.abc import Awaitable, Callable

from serving.operations.watching import ID_HEADER, Watch, Watcher
from serving.rpc.call import Call
from serving.rpc.unary import Answering

PROTOCOL = "grpc"

Method = Callable[[bytes, Call, Watch], Awaitable[bytes]]


class Reception:
    """Takes RPCs in."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def watch(self, name: str, call: Call) -> Watch:
        """Watch one request of a method."""
        return self._watcher.watch(PROTOCOL, name, peer=call.peer, headers=call.headers)

    def unary(self, name: str, method: Method) -> Answering:
        """Make of a method what answers its RPC."""
        idle = self._watcher.idle

        async def answer(content: bytes, call: Call) -> bytes:
            watch = self.watch(name, call)
            try:
                with watch:
                    return await method(content, call, watch)
            finally:
                if not idle:
                    call.trailing = _echoed(watch)

        return answer


def _echoed(watch: Watch) -> tuple[tuple[str, str], ...]:
    """The id under which a request is told of, for its client."""
    header_id = watch.header_id
    return ((ID_HEADER, header_id),) if header_id else ()
