"""An endpoint, and how whatever it raises becomes a status."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from serving.errors import Draining
from serving.rest.answers import error_response
from serving.rest.errors import HeadersTooLarge
from serving.security.scopes import Scope
from serving.security.tokens import Tokens

Handler = Callable[[Request], Awaitable[Response]]

# nginx's; who is gone does not read it.
CLIENT_GONE = 499


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One path and method.

    Attributes:
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

    method: str = "GET"
    path: str
    handler: Handler
    scope: Scope | None = None
    group: str
    summary: str
    body: type[msgspec.Struct] | None = None
    answer: type | str | None = None
    statuses: tuple[int, ...] = ()


def answering(endpoint: Endpoint, tokens: Tokens | None, max_header_bytes: int) -> Handler:
    """Wrap an endpoint's handler so that whatever it raises becomes a status.

    Args:
        endpoint: it.
        tokens: say who may; None to let all in.
        max_header_bytes: of a request.
    """

    async def answer(request: Request) -> Response:
        try:
            # h11 counts headers only while they are incomplete.
            if sum(len(name) + len(value) for name, value in request.headers.raw) > max_header_bytes:
                raise HeadersTooLarge(f"the headers are over {max_header_bytes} bytes: send fewer")
            if tokens is not None and endpoint.scope is not None:
                tokens.check(_authorization(request), endpoint.scope)
            return await endpoint.handler(request)
        except ClientDisconnect:
            return Response(status_code=CLIENT_GONE)
        except asyncio.CancelledError:  # by the server's end, when its grace is over
            return error_response(Draining("the server stopped before the answer was made: ask another one"))
        except Exception as error:  # noqa: BLE001  (it is logged, and told to nobody else)
            return error_response(error)

    return answer


def _authorization(request: Request) -> str | None:
    """The header, if it came once; several would leave open which one counts."""
    found = request.headers.getlist("authorization")
    return found[0] if len(found) == 1 else None
