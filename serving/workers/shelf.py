"""The versions that a worker holds: prepared ones, and those that it serves."""

import asyncio
from typing import TYPE_CHECKING

from serving.engine import Engine
from serving.repository.loading import load_version
from serving.served import ServedModel
from serving.settings import ModelSettings, ServerSettings
from serving.statistics import Statistics
from serving.workers.cores import default_sessions, usable_cores
from serving.workers.messages import Prepare, Swap

if TYPE_CHECKING:
    from serving.session import Session


class Shelf:
    """Loads versions off the path of requests, and swaps them in at once."""

    def __init__(self, settings: ServerSettings, engine: Engine, statistics: Statistics) -> None:
        self._settings = settings
        self._side_by_side = default_sessions(usable_cores(), settings.workers)
        self._engine = engine
        self._statistics = statistics
        self._prepared: dict[int, tuple[tuple[Session, ...], ModelSettings]] = {}
        self._served: dict[int, ServedModel] = {}

    async def prepare(self, order: Prepare) -> None:
        """Load and warm up a version.

        Raises:
            ModelRefused: it must not or cannot be served.
        """
        folder = self._settings.repository / order.model / str(order.version)
        sessions = await asyncio.to_thread(
            load_version,
            folder,
            order.settings,
            allow_unverified=self._settings.allow_unverified,
            side_by_side=self._side_by_side,
        )
        self._prepared[order.generation] = (sessions, order.settings)

    async def swap(self, order: Swap) -> None:
        """Serve exactly those that are named; what else was prepared is let go."""
        served: dict[int, ServedModel] = {}
        for live in order.live:
            known = self._served.get(live.generation)
            if known is None:
                sessions, settings = self._prepared[live.generation]
                known = await ServedModel(sessions, settings, self._statistics).open()
            served[live.generation] = known
        self._prepared.clear()
        self._served = served
        self._engine.swap(served.values(), order.index)
