"""Requests whose client is gone are given up."""

import asyncio
from types import TracebackType
from typing import Self

from starlette.requests import Request


class WhileConnected:
    """An async context manager that cancels what runs in it if the client goes."""

    def __init__(self, request: Request) -> None:
        """Watch a request whose body has been read."""
        self._request = request

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

    async def _watch(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        self._running.cancel()
