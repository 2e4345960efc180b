"""The ASGI application: the protocol's paths, and the pages that describe them."""

from starlette.applications import Starlette
from starlette.routing import Route

from serving.engine import Engine
from serving.operations.watching import Watcher
from serving.rest.endpoints import answering
from serving.rest.pages import Pages
from serving.rest.paths import protocol
from serving.rest.service import RestService, not_allowed, not_found
from serving.security.tokens import Tokens
from serving.settings import Limits

KIB = 1024
MIB = 1024 * KIB


def rest_app(
    engine: Engine, watcher: Watcher, *, limits: Limits, version: str, tokens: Tokens | None = None
) -> Starlette:
    """Make the application.

    Args:
        engine: runs the models.
        watcher: tells of requests.
        limits: of messages and headers.
        version: of the server.
        tokens: say who may; None to let all in.
    """
    service = RestService(engine, watcher, max_message_bytes=limits.max_message_mib * MIB, version=version)
    endpoints = protocol(service)
    pages = Pages(endpoints, version=version)
    routes = [
        Route(each.path, answering(each, tokens, limits.max_header_kib * KIB), methods=[each.method])
        for each in (*endpoints, *pages.endpoints)
    ]
    app = Starlette(routes=routes, exception_handlers={404: not_found, 405: not_allowed})
    app.router.redirect_slashes = False
    return app
