"""An endpoint, and what all requests pass: they are watched and guarded, their errors become statuses."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serving.errors import Draining, quoted
from serving.operations.watching import ID_HEADER, UNKNOWN, Watch, Watcher
from serving.rest.answers import error_response
from serving.rest.connections import PROTOCOL, peer_of
from serving.rest.errors import HeadersTooLarge, NoSuchPath, NotAllowed
from serving.security.scopes import Scope
from serving.security.tokens import Tokens, only

Handler = Callable[[Request, Watch], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One path and method.

    Attributes:
        name: the protocol's for what is asked.
        method: of HTTP.
        path: with parameters in braces.
        handler: makes the answer.
        scope: that a token must have; None where none is needed.
        group: of the documentation.
        summary: a line on what it does.
        body: what the request holds.
        answer: what it gives as JSON; a protobuf message's name where it gives that.
        statuses: of errors that it may answer with.
    """

    name: str
    method: str = "GET"
    path: str
    handler: Handler
    scope: Scope | None = None
    group: str
    summary: str
    body: type[msgspec.Struct] | None = None
    answer: type | str | None = None
    statuses: tuple[int, ...] = ()


class Reception:
    """Takes requests in."""

    def __init__(self, watcher: Watcher, tokens: Tokens | None, max_header_bytes: int) -> None:
        """Set who looks at them.

        Args:
            watcher: is told of each.
            tokens: say who may; None to let all in.
            max_header_bytes: of a request.
        """
        self._watcher = watcher
        self._tokens = tokens
        self._max_header_bytes = max_header_bytes

    def answering(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        """Make of an endpoint what answers its requests."""

        async def answer(request: Request) -> Response:
            watch = self._watch(endpoint.name, request)
            try:
                with watch:
                    self._check(endpoint, request)
                    response = await endpoint.handler(request, watch)
            except asyncio.CancelledError:  # the client is gone, or the server's grace is over
                response = error_response(
                    Draining("the server stopped before the answer was made: ask another")
                )
            except Exception as error:  # noqa: BLE001  (it is logged, and told to nobody else)
                response = error_response(error)
            return _echoing(response, watch)

        return answer

    async def not_found(self, request: Request, _: Exception) -> Response:
        """Answer that there is no such path."""
        return self._unknown(request, NoSuchPath(f"there is no {quoted(request.url.path)}: see /docs"))

    async def not_allowed(self, request: Request, error: Exception) -> Response:
        """Answer that it is another method's path."""
        refusal = NotAllowed(f"{quoted(request.method)} is not for this path: see /docs")
        response = self._unknown(request, refusal)
        response.headers.update(getattr(error, "headers", None) or {})
        return response

    def _unknown(self, request: Request, refusal: NoSuchPath | NotAllowed) -> Response:
        watch = self._watch(UNKNOWN, request)
        with contextlib.suppress(NoSuchPath, NotAllowed), watch:
            raise refusal
        return _echoing(error_response(refusal), watch)

    def _watch(self, name: str, request: Request) -> Watch:
        return self._watcher.watch(
            PROTOCOL, name, peer=lambda: peer_of(request.client), headers=request.headers.items
        )

    def _check(self, endpoint: Endpoint, request: Request) -> None:
        # h11 counts headers only while they are incomplete.
        if sum(len(name) + len(value) for name, value in request.headers.raw) > self._max_header_bytes:
            raise HeadersTooLarge(f"the headers are over {self._max_header_bytes} bytes: send fewer")
        if self._tokens is not None and endpoint.scope is not None:
            self._tokens.check(only(request.headers.getlist("authorization")), endpoint.scope)


def _echoing(response: Response, watch: Watch) -> Response:
    """The answer with the id under which its request is told of."""
    if header_id := watch.header_id:
        response.headers[ID_HEADER] = header_id
    return response
