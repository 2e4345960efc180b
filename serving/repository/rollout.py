"""Which versions are served: what is published is tried, what can be served is swapped in, the rest is told.

This knows neither processes nor onnxruntime: it is given what prepares a version everywhere and what swaps.
"""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from serving.errors import LoadRefused, ModelNotFound, ModelRefused, RepositoryError, quoted
from serving.index import IndexEntry
from serving.repository.config_file import read_model_settings
from serving.repository.layout import ModelFolder, Stamp, model_names, read_model_folder, stamp
from serving.repository.refusals import Refusals
from serving.settings import ModelSettings, Policy

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """One loading of a version.

    Attributes:
        model: its name.
        version: its number.
        generation: a new number each time that it is loaded.
        settings: of the model.
        stamp: of its files as they were before.
    """

    model: str
    version: int
    generation: int
    settings: ModelSettings
    stamp: Stamp


# A loading that takes longer is told of while it lasts.
QUIET_SECONDS = 3.0

Prepare = Callable[[Loading], Awaitable[None]]
Swap = Callable[[tuple[Loading, ...], tuple[IndexEntry, ...]], Awaitable[None]]


class Rollout:
    """Keeps what is served in step with a repository."""

    def __init__(
        self, repository: Path, *, model: str | None, defaults: ModelSettings, prepare: Prepare, swap: Swap
    ) -> None:
        """Prepare to look.

        Args:
            repository: the folder of published models.
            model: serve this one alone; None for all.
            defaults: of models whose own settings do not say otherwise.
            prepare: loads a version wherever it is to be served; raises ModelRefused if it must not be.
            swap: serves exactly these versions from now on, and tells clients of this index.
        """
        self._repository = repository
        self._only = model
        self._defaults = defaults
        self._prepare = prepare
        self._swap = swap
        self._generations = itertools.count(1)
        self._live: dict[str, dict[int, Loading]] = {}
        self._refusals = Refusals()
        self._published: tuple[Loading, ...] | None = None
        self._unloaded: set[str] = set()
        self.lock = asyncio.Lock()

    @property
    def live(self) -> tuple[Loading, ...]:
        """What is served, by name, the newest version of each first."""
        return tuple(
            versions[number]
            for _, versions in sorted(self._live.items())
            for number in sorted(versions, reverse=True)
        )

    async def begin(self) -> None:
        """Serve what the repository holds.

        Raises:
            RepositoryError: there is none, it has no such model, or nothing in it can be served.
        """
        names = model_names(self._repository)
        if self._only is not None and self._only not in names:
            known = ", ".join(names) or "no model"
            raise RepositoryError(
                f"{self._repository} holds no model {self._only!r}, but {known}: name one of those"
            )
        if not names:
            raise RepositoryError(f"{self._repository} holds no published model: run `keraport export` first")
        await self.refresh()
        if not self._live:
            raise RepositoryError(
                f"nothing in {self._repository} can be served, see above: export the model again"
            )

    async def refresh(self) -> None:
        """Look for what has changed, and serve that; what was refused before is tried again once it changes.

        Raises:
            RepositoryError: the repository cannot be read.
        """
        async with self.lock:
            names = await asyncio.to_thread(model_names, self._repository)
            if self._only is not None:
                names = tuple(name for name in names if name == self._only)
            for gone in {*self._live, *self._refusals.models, *self._unloaded} - {*names}:
                self._forget(gone)
                self._unloaded.discard(gone)
            for name in names:
                if name not in self._unloaded:
                    await self._refresh_model(name)
            await self._publish()

    async def bring_up(self, prepare: Prepare, join: Callable[[], None]) -> None:
        """Have one more worker serve what the others do.

        A version that it cannot load, or whose files have changed, is served no longer by anyone, so that all
        answer alike; what else the model has takes its place.

        Args:
            prepare: loads a version in that worker alone; raises ModelRefused if it cannot.
            join: from its call on it is one of those in which versions are prepared and swapped.
        """
        async with self.lock:
            lost: list[Loading] = []
            for loading in self.live:
                now = await asyncio.to_thread(stamp, self._repository / loading.model / str(loading.version))
                try:
                    if now == loading.stamp:
                        await prepare(loading)
                        continue
                except ModelRefused as error:
                    self._refusals.refuse(loading.model, loading.version, loading.settings, now, str(error))
                lost.append(loading)
            join()
            for loading in lost:
                del self._live[loading.model][loading.version]
            for name in sorted({loading.model for loading in lost}):
                log.warning("%s is looked at anew: a new worker cannot load what the others serve", name)
                await self._refresh_model(name)
            await self._publish()

    async def load(self, model: str) -> None:
        """Look at one model anew, at what was refused or unloaded too.

        Raises:
            ModelNotFound: the repository holds no such model.
            LoadRefused: a version that was to be served is refused; what was served before still is.
        """
        async with self.lock:
            names = await asyncio.to_thread(model_names, self._repository)
            if model not in names or self._only not in (None, model):
                raise ModelNotFound(f"the repository holds no model {quoted(model)}: publish it first")
            self._unloaded.discard(model)
            self._refusals.forget(model)
            await self._refresh_model(model)
            await self._publish()
            reasons = self._refusals.reasons(model)
            if reasons:
                raise LoadRefused(f"{model} {'; '.join(reasons)}")

    async def unload(self, model: str) -> None:
        """Stop to serve a model, until it is loaded again.

        Raises:
            ModelNotFound: it is not served.
        """
        async with self.lock:
            if model not in self._live:
                raise ModelNotFound(f"no model {quoted(model)} is loaded")
            self._forget(model)
            self._unloaded.add(model)
            await self._publish()

    def _forget(self, model: str) -> None:
        self._live.pop(model, None)
        self._refusals.forget(model)

    async def _publish(self) -> None:
        live = self.live
        index = self._refusals.index(((each.model, each.version) for each in live), self._unloaded)
        await self._swap(live, index)
        if self._published is not None:
            _tell({*self._published}, {*live})
        self._published = live

    async def _refresh_model(self, name: str) -> None:
        folder = await asyncio.to_thread(read_model_folder, self._repository / name)
        try:
            settings = read_model_settings(folder.path, self._defaults)
        except ModelRefused as refusal:
            self._refusals.complain(name, str(refusal))
            return
        if folder.complaint:
            self._refusals.complain(name, folder.complaint)
            if not folder.readable:
                return
        else:
            self._refusals.content(name)
        chosen = await self._choose(folder, settings)
        if chosen or not folder.versions:
            self._live[name] = chosen
        if not self._live.get(name):
            self._live.pop(name, None)

    async def _choose(self, folder: ModelFolder, settings: ModelSettings) -> dict[int, Loading]:
        """Try versions in the policy's order, as many as it wants."""
        policy = settings.versions
        most = policy.latest if policy.kind is Policy.LATEST else len(folder.versions)
        chosen: dict[int, Loading] = {}
        tried = {*policy.versions} - {*folder.versions}
        for version in tried:
            reason = "it is to be served, but is not published"
            self._refusals.refuse(folder.name, version, settings, (), reason)
        for version in self._candidates(folder, settings):
            if len(chosen) == most:
                break
            tried.add(version)
            loading = await self._try(folder, version, settings)
            if loading is not None:
                chosen[version] = loading
        self._refusals.keep(folder.name, tried)
        return chosen

    def _candidates(self, folder: ModelFolder, settings: ModelSettings) -> Iterator[int]:
        listed = settings.versions.versions
        return (version for version in folder.versions if not listed or version in listed)

    async def _try(self, folder: ModelFolder, version: int, settings: ModelSettings) -> Loading | None:
        """The loading of a version that can be served; its earlier one if what it has become is refused."""
        before = self._live.get(folder.name, {}).get(version)
        now = await asyncio.to_thread(stamp, folder.path / str(version))
        if before is not None and (before.settings, before.stamp) == (settings, now):
            self._refusals.accept(folder.name, version)
            return before
        if self._refusals.holds(folder.name, version, settings, now):
            return before
        loading = Loading(
            model=folder.name,
            version=version,
            generation=next(self._generations),
            settings=settings,
            stamp=now,
        )
        patience = asyncio.get_running_loop().call_later(
            QUIET_SECONDS, log.info, "%s version %d is being loaded", folder.name, version
        )
        try:
            await self._prepare(loading)
        except ModelRefused as error:
            self._refusals.refuse(folder.name, version, settings, now, str(error))
            return before
        finally:
            patience.cancel()
        self._refusals.accept(folder.name, version)
        return loading


def _tell(before: set[Loading], now: set[Loading]) -> None:
    """Log what is served anew and what no longer is."""
    versions = {(each.model, each.version) for each in now}
    for each in sorted(now - before, key=_order):
        log.info("%s version %d is served from now on", each.model, each.version)
    for each in sorted(before - now, key=_order):
        if (each.model, each.version) not in versions:
            log.info("%s version %d is served no longer", each.model, each.version)


def _order(loading: Loading) -> tuple[str, int]:
    return loading.model, loading.version
