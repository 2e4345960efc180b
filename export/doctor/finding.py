"""What one check of `keraport doctor` found."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What a check found."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "not installed"
    SKIPPED = "skipped"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found.

    Attributes:
        check: what was looked at.
        state: what was found; only `broken` makes the set-up bad.
        detail: in one line.
        mend: what to do about it; empty if nothing.
        seconds: that it took, where it was run.
        log: the last lines that it printed, where it broke.
    """

    check: str
    state: State
    detail: str
    mend: str = ""
    seconds: float | None = None
    log: str = ""
