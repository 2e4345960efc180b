"""The ASGI application: the protocol's paths, and the pages that describe them."""

import importlib.metadata

from starlette.applications import Starlette
from starlette.routing import Route

from serving.engine import Engine
from serving.operations.watching import Watcher
from serving.rest.endpoints import Reception
from serving.rest.pages import Pages
from serving.rest.paths import protocol
from serving.rest.service import RestService
from serving.security.tokens import Tokens
from serving.settings import ServerSettings

KIB = 1024
MIB = 1024 * KIB


def rest_app(engine: Engine, watcher: Watcher, settings: ServerSettings, tokens: Tokens | None) -> Starlette:
    """Make the application.

    Args:
        engine: runs the models.
        watcher: is told of every request.
        settings: the server's.
        tokens: say who may; None to let all in.
    """
    version = importlib.metadata.version("keraport")
    service = RestService(
        engine,
        max_message_bytes=settings.limits.max_message_mib * MIB,
        version=version,
    )
    reception = Reception(watcher, tokens, settings.limits.max_header_kib * KIB)
    endpoints = protocol(service)
    pages = Pages(endpoints, version=version)
    routes = [
        Route(each.path, reception.answering(each), methods=[each.method])
        for each in (*endpoints, *pages.endpoints)
    ]
    app = Starlette(routes=routes, exception_handlers={404: reception.not_found, 405: reception.not_allowed})
    app.router.redirect_slashes = False
    return app
