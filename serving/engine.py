"""What a worker answers with: the versions that it serves, whichever protocol asks."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Sequence
from typing import Protocol

from serving.errors import Draining, ModelNotFound, RequestError, quoted
from serving.index import IndexEntry
from serving.inference import Inference, Outcome
from serving.served import ServedModel
from serving.statistics import ModelCounts

log = logging.getLogger(__name__)


class Control(Protocol):
    """What only the supervisor can do."""

    def require(self) -> None:
        """Let a client steer.

        Raises:
            Forbidden: clients may not.
        """
        ...

    async def load(self, model: str) -> None:
        """Look at a model anew; returns once every worker serves what came of it."""
        ...

    async def unload(self, model: str) -> None:
        """Stop to serve a model; returns once no worker does."""
        ...

    async def statistics(self) -> tuple[ModelCounts, ...]:
        """What all workers have counted."""
        ...


class Engine:
    """Finds the version that a request is for, and runs it.

    Attributes:
        draining: set once when the server is to stop; from then on new inferences are refused.
        control: what only the supervisor can do.
        index: what clients are told of the repository.
    """

    def __init__(self, control: Control) -> None:
        self.draining = False
        self.control = control
        self.index: tuple[IndexEntry, ...] = ()
        self._models: dict[str, dict[str, ServedModel]] = {}
        self._retiring: set[asyncio.Task[None]] = set()

    def swap(self, live: Iterable[ServedModel], index: Sequence[IndexEntry]) -> None:
        """Serve exactly these versions from now on; those replaced end once they have answered.

        Args:
            live: each model's newest version first.
            index: of the repository.
        """
        before = {id(each): each for versions in self._models.values() for each in versions.values()}
        models: dict[str, dict[str, ServedModel]] = {}
        for each in live:
            models.setdefault(each.session.name, {})[each.session.version] = each
            before.pop(id(each), None)
        self._models = models
        self.index = tuple(index)
        for each in before.values():
            task = asyncio.create_task(each.retire())
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    def find(self, name: str, version: str = "") -> ServedModel:
        """The version that is asked for, the newest one if none is named.

        Raises:
            ModelNotFound: it is not served.
        """
        versions = self._models.get(name)
        if versions is None:
            known = ", ".join(self._models) or "none at all"
            raise ModelNotFound(f"no model {quoted(name)} is loaded, but: {known[:300]}")
        if not version:
            return next(iter(versions.values()))
        model = versions.get(version)
        if model is None:
            raise ModelNotFound(
                f"version {quoted(version)} of {quoted(name)} is not loaded, "
                f"but version {', '.join(versions)[:100]}"
            )
        return model

    def versions(self, name: str) -> tuple[str, ...]:
        """The versions of a model that are served, the newest first."""
        return tuple(self._models.get(name, ()))

    def ready(self, name: str = "", version: str = "") -> bool:
        """Whether the server, or one of its models, takes inferences.

        Raises:
            ModelNotFound: that model is not served.
        """
        if name:
            self.find(name, version)
        return not self.draining

    @property
    def models(self) -> tuple[ServedModel, ...]:
        """All versions that are served."""
        return tuple(each for versions in self._models.values() for each in versions.values())

    async def infer(self, inference: Inference) -> Outcome:
        """Run a model.

        Raises:
            RequestError: it cannot be answered.
        """
        if self.draining:
            raise Draining("the server is stopping: ask another one")
        return await self.find(inference.model, inference.version).infer(inference)

    def refused(self, name: str, version: str, error: RequestError) -> None:
        """Count an inference that was refused while it was read, if its model is served."""
        with contextlib.suppress(ModelNotFound):
            self.find(name, version).refused(error)

    async def drained(self) -> None:
        """Wait until no inference is under way."""
        await asyncio.gather(*(each.idle() for each in self.models), *self._retiring)

    async def close(self) -> None:
        """End all versions at once; what waits is cancelled."""
        await asyncio.gather(*(each.close() for each in self.models))
