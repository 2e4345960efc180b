"""Whoever wants to know how an export or a check goes."""

from contextlib import AbstractContextManager
from typing import Protocol

from export.manifest import Artifact


class Listener(Protocol):
    """Told of progress, from several threads."""

    def during(self, what: str) -> AbstractContextManager[None]:
        """Note that something is being done, as long as the context lasts."""
        ...

    def done(self, artifact: Artifact) -> None:
        """Note that an artifact has its verdict."""
        ...
