"""Connections that are not left to whoever opens them and says or takes nothing."""

import asyncio
import socket
from dataclasses import dataclass
from typing import Any

import h11
import msgspec
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from serving.errors import InvalidRequest
from serving.operations.watching import UNKNOWN, Watcher
from serving.rest.messages import ErrorAnswer

PROTOCOL = "http"


def peer_of(client: tuple[str, int] | None) -> str:
    """How a client is told of."""
    return "" if client is None else f"{client[0]}:{client[1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How many connections there may be, and how long each is waited for.

    Attributes:
        max_connections: of one process; beyond, the one that was idle longest is closed.
        head_s: for the whole head of a request, from the connection's or its own first byte.
        rest_s: for what still comes of a refused body; cut off at once, the client would not see why.
        idle_s: between requests; longer than the minute that load balancers keep theirs.
        stall_s: for a client to take some more of its answer.
        stall_bytes: how much that is.
    """

    max_connections: int = 4096
    head_s: float = 10.0
    rest_s: float = 2.0
    idle_s: int = 75
    stall_s: float = 20.0
    stall_bytes: int = 64 * 1024


class Config(uvicorn.Config):
    """uvicorn's settings, the patience with connections, and who is told of what is not HTTP."""

    def __init__(
        self,
        app: ASGIApp,
        patience: Patience,
        watcher: Watcher,
        max_head_bytes: int,
        **settings: Any,  # noqa: ANN401  (uvicorn's)
    ) -> None:
        super().__init__(app, http=Connection, timeout_keep_alive=patience.idle_s, **settings)
        self.patience = patience
        self.watcher = watcher
        self.max_head_bytes = max_head_bytes


class _Framing(h11.Connection):
    """h11's, which refuses a request that gives its length in two ways.

    h11 itself goes by the chunks. A proxy in front may go by the length, and so take for a part of the body
    what would be answered here as the next request: the one of somebody who never asked.
    """

    refusal = ""

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        event = super().next_event()
        if isinstance(event, h11.Request):
            names = {name for name, _ in event.headers}
            if {b"content-length", b"transfer-encoding"} <= names:
                self.refusal = "Content-Length and Transfer-Encoding came both: send one of them"
                raise h11.RemoteProtocolError(self.refusal)
        return event


class Connection(H11Protocol):
    """uvicorn's, with an end to what it would await without one: heads, idlers, those that don't read."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._patience = config.patience
        self._watcher = config.watcher
        self.conn = self._framing = _Framing(h11.SERVER, config.max_head_bytes)
        self._head: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._unsent = 0
        self._idle_since = self.loop.time()

    @property
    def idle(self) -> bool:
        """Whether no request is under way."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head, and make room for the connection."""
        super().connection_made(transport)
        # asyncio does so only where the listening socket says that it is TCP's. Without, the client's delayed
        # acknowledgement of an answer's head holds up its body by 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._await_head()
        if len(self.connections) > self._patience.max_connections:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        for timer in (self._head, self._stall):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Take a part of a request; what leads to none, such as a refused body's rest, must end soon."""
        super().data_received(data)
        if self.idle:
            refused = self.conn.their_state is h11.SEND_BODY
            self._await_head(self._patience.rest_s if refused else None)
        elif self._head is not None:
            self._head.cancel()
            self._head = None

    def on_response_complete(self) -> None:
        """Be idle."""
        self._idle_since = self.loop.time()
        super().on_response_complete()
        begun, _ = self.conn.trailing_data
        if begun and self.idle:
            self._await_head()

    def pause_writing(self) -> None:
        """Begin to watch whether the client takes its answer."""
        super().pause_writing()
        self._watch_sending()

    def resume_writing(self) -> None:
        """It does."""
        super().resume_writing()
        if self._stall is not None:
            self._stall.cancel()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, in the protocol's form."""
        refusal = InvalidRequest(self._framing.refusal or msg)
        self._watcher.refused(refusal, PROTOCOL, UNKNOWN, peer=lambda: peer_of(self.client), headers=tuple)
        body = msgspec.json.encode(ErrorAnswer(error=str(refusal)))
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("connection", "close"),
        ]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _await_head(self, seconds: float | None = None) -> None:
        if self._head is None:
            self._head = self.loop.call_later(seconds or self._patience.head_s, self.transport.abort)

    def _make_room(self) -> None:
        idlers = [
            each
            for each in self.connections
            if isinstance(each, Connection) and each.idle and not each.transport.is_closing()
        ]
        # This one at least is among them.
        min(idlers, key=lambda each: each._idle_since).transport.abort()

    def _watch_sending(self) -> None:
        self._unsent = self.transport.get_write_buffer_size()
        self._stall = self.loop.call_later(self._patience.stall_s, self._check_sending)

    def _check_sending(self) -> None:
        if self._unsent - self.transport.get_write_buffer_size() < self._patience.stall_bytes:
            self.transport.abort()
        else:
            self._watch_sending()
