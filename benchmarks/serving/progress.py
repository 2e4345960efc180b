"""How far a benchmark is, and what is left."""

import sys
import time

TRUSTED = 0.05  # of all: what was done until then says little of the pace


class Progress:
    """Seconds that were planned, against those that passed."""

    def __init__(self, planned_s: float) -> None:
        self._planned_s = planned_s
        self._done_s = 0.0
        self._began = time.monotonic()

    def done(self, planned_s: float) -> None:
        """A step of so many planned seconds is over."""
        self._done_s += planned_s

    @property
    def left_s(self) -> float:
        """What is left, at the pace so far."""
        pace = 1.0
        if self._done_s > TRUSTED * self._planned_s:
            pace = (time.monotonic() - self._began) / self._done_s
        return max(0.0, self._planned_s - self._done_s) * pace

    def tell(self, text: str) -> None:
        """Say something on stderr."""
        minutes = (time.monotonic() - self._began) / 60
        print(f"[{minutes:5.1f} min, {self.left_s / 60:4.1f} left] {text}", file=sys.stderr, flush=True)
