"""A rollout that loads real versions, in the tests' own process."""

import asyncio

import pytest

from serving.repository.loading import load_version
from serving.repository.rollout import Rollout
from serving.settings import ModelSettings


class Stage:
    """A rollout, what it has loaded and what it serves."""

    def __init__(self, repository, model, settings, allow_unverified):
        self.loaded = []
        self.served = {}
        self.index = []
        self._repository, self._allow_unverified = repository, allow_unverified
        self.rollout = Rollout(
            repository, model=model, defaults=settings, prepare=self._prepare, swap=self._swap
        )

    async def _prepare(self, loading):
        folder = self._repository / loading.model / str(loading.version)
        self.loaded.append((loading.model, loading.version))
        await asyncio.to_thread(
            load_version, folder, loading.settings, allow_unverified=self._allow_unverified
        )

    async def _swap(self, live, index):
        self.served = {}
        for each in live:
            self.served.setdefault(each.model, []).append(each.version)
        self.index = [(each.name, each.version, each.state.value, each.reason) for each in index]

    async def begun(self):
        await self.rollout.begin()
        return self.served

    async def refreshed(self):
        await self.rollout.refresh()
        return self.served


@pytest.fixture
def rollout_of():
    def make(repository, *, model=None, allow_unverified=False, **settings):
        return Stage(repository, model, ModelSettings(max_batch_rows=8, **settings), allow_unverified)

    return make
