"""The pages for people and generators: the OpenAPI document, and the same to read."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serving.operations.watching import Watch
from serving.rest.docs_page import STYLE_HASH, docs_page, start_page
from serving.rest.endpoints import Endpoint
from serving.rest.openapi import openapi_document

# Nothing is loaded, run, framed or sent anywhere; only the page's own style applies.
PAGE_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src '{STYLE_HASH}'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Pages:
    """Pages that are made once."""

    def __init__(self, endpoints: Sequence[Endpoint], *, version: str) -> None:
        """Make them.

        Args:
            endpoints: that they describe.
            version: of the server.
        """
        document = openapi_document(endpoints, version=version)
        self._document = msgspec.json.encode(document)
        self._docs = docs_page(document)
        self._start = start_page(version)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where they are."""
        start = Endpoint(
            name="Page", path="/", handler=self.start, group="Pages", summary="Where to go from here"
        )
        return (
            start,
            replace(start, path="/docs", handler=self.docs, summary="This description, to read"),
            replace(start, path="/openapi.json", handler=self.openapi, summary="The same as OpenAPI"),
        )

    async def start(self, _: Request, __: Watch) -> Response:
        """Links."""
        return Response(self._start, headers=PAGE_HEADERS, media_type="text/html")

    async def docs(self, _: Request, __: Watch) -> Response:
        """The description to read."""
        return Response(self._docs, headers=PAGE_HEADERS, media_type="text/html")

    async def openapi(self, _: Request, __: Watch) -> Response:
        """The OpenAPI document."""
        return Response(self._document, media_type="application/json")
