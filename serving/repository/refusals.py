"""What of a repository is not served, and why: told once in the log, and to clients in the index."""

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from serving.index import IndexEntry, State
from serving.repository.layout import Stamp
from serving.settings import ModelSettings

log = logging.getLogger(__name__)

UNLOADED = "unloaded"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    settings: ModelSettings
    stamp: Stamp
    reason: str


class Refusals:
    """Remembers which versions were refused as they are, and which models could not be looked at."""

    def __init__(self) -> None:
        self._versions: dict[str, dict[int, _Refusal]] = {}
        self._models: dict[str, str] = {}

    def refuse(self, model: str, version: int, settings: ModelSettings, seen: Stamp, reason: str) -> None:
        """Remember that a version is not served with these settings as long as its files are as seen."""
        refusal = _Refusal(settings=settings, stamp=seen, reason=reason)
        known = self._versions.setdefault(model, {})
        if known.get(version) != refusal:
            log.warning("%s version %s is not served: %s", model, version, reason)
            known[version] = refusal

    def accept(self, model: str, version: int) -> None:
        """Forget what was said against a version."""
        self._versions.get(model, {}).pop(version, None)

    def holds(self, model: str, version: int, settings: ModelSettings, now: Stamp) -> bool:
        """Whether a version was refused just as it is now."""
        refusal = self._versions.get(model, {}).get(version)
        return refusal is not None and (refusal.settings, refusal.stamp) == (settings, now)

    def complain(self, model: str, complaint: str) -> None:
        """Remember why a model cannot be looked at."""
        if self._models.get(model) != complaint:
            log.warning("%s", complaint)
            self._models[model] = complaint

    def content(self, model: str) -> None:
        """Say that it can."""
        self._models.pop(model, None)

    def keep(self, model: str, versions: Collection[int]) -> None:
        """Forget what was refused of a model but for these versions."""
        known = self._versions.get(model, {})
        for version in [*known]:
            if version not in versions:
                del known[version]

    def forget(self, model: str) -> None:
        """Forget all of a model."""
        self._versions.pop(model, None)
        self._models.pop(model, None)

    def reasons(self, model: str) -> list[str]:
        """All that there is to say against a model."""
        versions = sorted(self._versions.get(model, {}).items())
        told = [f"version {version}: {refusal.reason}" for version, refusal in versions]
        return told + ([self._models[model]] if model in self._models else [])

    @property
    def models(self) -> set[str]:
        """Of which there is something to say."""
        return {*self._versions, *self._models}

    def index(self, live: Iterable[tuple[str, int]], unloaded: Iterable[str]) -> tuple[IndexEntry, ...]:
        """What is known of each version.

        Args:
            live: model and version of those that are served.
            unloaded: models that a client had unloaded.
        """
        entries = {key: _entry(*key, State.READY) for key in live}
        for model, versions in self._versions.items():
            for version, refusal in versions.items():
                if (model, version) in entries:
                    reason = f"the files changed, and are refused: {refusal.reason}"
                    entries[model, version] = _entry(model, version, State.READY, reason)
                else:
                    entries[model, version] = _entry(model, version, State.UNAVAILABLE, refusal.reason)
        for model, complaint in [*self._models.items(), *((model, UNLOADED) for model in unloaded)]:
            entries[model, 0] = _entry(model, 0, State.UNAVAILABLE, complaint)
        return tuple(entries[key] for key in sorted(entries))


def _entry(model: str, version: int, state: State, reason: str = "") -> IndexEntry:
    return IndexEntry(name=model, version=str(version) if version else "", state=state, reason=reason)
