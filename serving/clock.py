"""The part of an event loop that tells the time; tests bring their own."""

from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A callback that is due."""

    def cancel(self) -> None:
        """Forget it."""
        ...


class Clock(Protocol):
    """What tells the time."""

    def time(self) -> float:
        """Monotonic seconds."""
        ...

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Call back in `delay` seconds."""
        ...
