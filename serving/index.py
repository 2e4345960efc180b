"""What is known of each version of a repository."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """As the protocol's extension names it."""

    READY = "READY"
    UNAVAILABLE = "UNAVAILABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """One version.

    Attributes:
        name: the model's.
        version: as the protocol carries it; empty where none of the model is known.
        state: whether it is served.
        reason: why not, or what else there is to say.
    """

    name: str
    version: str
    state: State
    reason: str = ""
