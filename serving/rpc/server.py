"""A gRPC server whose requests are found and begun in the event loop's own thread.

It is made of the parts that grpc's two servers are made of, and stands where they stand: one that runs a
handler in a thread, as grpc.server does, hands the interpreter's lock over some four times a request, and
grpc.aio six times; this one never.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import grpc

from serving.errors import AddressError
from serving.rpc.call import HEADERS, Call, Ended, ignore, send_end
from serving.rpc.core import NO_FLAGS, Event, cygrpc
from serving.rpc.loop import CompletionLoop
from serving.rpc.outgoing import Outgoing
from serving.rpc.status import ended_by
from serving.rpc.stream import Conversing, StreamCall
from serving.rpc.unary import Answering, UnaryCall

# RPCs that gRPC may hand over at once. Those beyond it keeps to itself, and cancels when it is to stop.
AWAITED = 256

Admit = Callable[[str, Call], None]


class Server:
    """Answers RPCs.

    It works in a `CompletionLoop` alone.
    """

    def __init__(
        self,
        unary: Mapping[str, Answering],
        streams: Mapping[str, Conversing],
        *,
        options: Sequence[tuple[str, int]],
        admit: Admit | None = None,
    ) -> None:
        """Prepare to listen.

        Args:
            unary: what answers an RPC of one request and one answer, by the method's path.
            streams: what holds the conversation of any other.
            options: of gRPC's core.
            admit: raises `Ended` for an RPC that may not be begun, by its path; None to let all in.
        """
        loop = asyncio.get_running_loop()
        if not isinstance(loop, CompletionLoop):
            raise TypeError(f"the server runs in a CompletionLoop, not in {type(loop).__name__}")
        self._queue = loop.queue
        self._outgoing = outgoing = Outgoing()
        self._calls: dict[bytes, Callable[[Event], object]] = {
            **{
                path.encode(): partial(UnaryCall, outgoing=outgoing, answer=answer)
                for path, answer in unary.items()
            },
            **{
                path.encode(): partial(StreamCall, outgoing=outgoing, converse=converse)
                for path, converse in streams.items()
            },
        }
        self._admit = admit
        self._stopping = False
        self._server = cygrpc.Server([(name.encode(), value) for name, value in options], False)
        self._server.register_completion_queue(self._queue)
        self._over: asyncio.Future[None] = loop.create_future()

    def listen(self, address: str, credentials: grpc.ServerCredentials | None) -> int:
        """Add a port; before the start.

        Args:
            address: as gRPC writes it.
            credentials: for TLS; None for none.

        Returns:
            The port's number.

        Raises:
            AddressError: gRPC cannot.
        """
        # Where credentials keep what gRPC's core takes is not public either.
        secrets = () if credentials is None else (vars(credentials)["_credentials"],)
        port: int = self._server.add_http2_port(address.encode(), *secrets)
        if not port:
            raise AddressError(f"gRPC cannot listen on {address}: give another --port or --host")
        return port

    def start(self) -> None:
        """Take RPCs."""
        self._server.start()
        for _ in range(AWAITED):
            self._server.request_call(self._queue, self._queue, self._requested)

    async def flushed(self) -> None:
        """Wait until all answers that were given have left, however slowly they are read."""
        await self._outgoing.none()

    async def stop(self, within_s: float) -> None:
        """Take no more, and wait for those under way; after so many seconds they are cancelled."""
        self._stopping = True
        self._server.shutdown(self._queue, self._ended)
        try:
            await asyncio.wait_for(asyncio.shield(self._over), within_s)
        except TimeoutError:
            self._server.cancel_all_calls()
            await self._over

    def _requested(self, event: Event) -> None:
        if not event.success:
            return  # the server is stopping
        if not self._stopping:  # else this one was found before
            self._server.request_call(self._queue, self._queue, self._requested)
        begin = self._calls.get(event.call_details.method)
        try:
            if self._admit is not None:
                self._admit(event.call_details.method.decode(errors="replace"), Call(event))
            if begin is None:
                raise Ended(grpc.StatusCode.UNIMPLEMENTED, "there is no such method here")
        except Exception as error:  # noqa: BLE001  (whatever it is, it becomes a status)
            closing = cygrpc.ReceiveCloseOnServerOperation(NO_FLAGS)
            event.call.start_server_batch((HEADERS, closing, send_end(ended_by(error), ())), ignore)
        else:
            begin(event)

    def _ended(self, _: object) -> None:
        self._over.set_result(None)
