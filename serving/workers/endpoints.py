"""Where a worker listens: all ports open together, and are drained together."""

import asyncio
import logging

from serving.engine import Engine
from serving.rpc.endpoint import GrpcEndpoint
from serving.workers.messages import Start

log = logging.getLogger(__name__)

# Between the last answer and the end: clients that ask again at once read a clean UNAVAILABLE from the
# service, where gRPC would answer a request that meets its shutdown with CANCELLED.
SETTLE_SECONDS = 0.1


class Endpoints:
    """A worker's ports."""

    def __init__(self, start: Start, engine: Engine) -> None:
        self._start = start
        self._engine = engine
        self._grpc = GrpcEndpoint(engine, repository_control=start.settings.repository_control)
        self._opened = False

    async def open(self) -> None:
        """Take requests.

        Raises:
            AddressError: it cannot listen.
        """
        await self._grpc.open(f"{self._start.address}:{self._start.port}")
        self._opened = True

    async def drain(self, grace_s: float) -> None:
        """Refuse what is new, answer what was accepted within so many seconds, stop to listen."""
        self._engine.draining = True
        if not self._opened:
            return
        await self._grpc.refuse()
        try:
            await asyncio.wait_for(self._engine.drained(), grace_s)
            await asyncio.sleep(SETTLE_SECONDS)
        except TimeoutError:
            log.warning("requests were cut off after %g s of grace", grace_s)
        await self._grpc.close()
