"""Messages on their way out."""

import asyncio


class Outgoing:
    """Counts the messages that gRPC was given and that have not left yet; made once a server."""

    def __init__(self) -> None:
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()

    def begin(self) -> None:
        """Count one more."""
        self._count += 1
        self._none.clear()

    def end(self) -> None:
        """Count one less: it left, or its call is over."""
        self._count -= 1
        if not self._count:
            self._none.set()

    async def none(self) -> None:
        """Wait until all have left; streams then have had their turn to send the next one."""
        while self._count:
            await self._none.wait()
