"""Requests whose client is gone are given up."""

import asyncio
from types import TracebackType
from typing import Self

from starlette.requests import ClientDisconnect, Request


class WhileConnected:
    """An async context manager: if the client goes, it cancels what runs in it, raising ClientDisconnect."""

    def __init__(self, request: Request) -> None:
        """Watch a request whose body has been read."""
        self._request = request
        self._gone = False

    async def __aenter__(self) -> Self:
        """Begin to watch."""
        running = asyncio.current_task()
        assert running is not None  # noqa: S101  (in a coroutine)
        self._running = running
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop to watch."""
        self._watcher.cancel()
        if self._gone and self._running.uncancel() <= 0 and kind is asyncio.CancelledError:
            raise ClientDisconnect from error

    async def _watch(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._running.cancel()
