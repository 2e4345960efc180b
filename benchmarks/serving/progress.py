"""How far a benchmark is, and what is left."""

import sys
import time

PRIOR = 0.2  # of all: as much as planned is taken to have been done in time, so that no first step rules


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
        prior_s = PRIOR * self._planned_s
        pace = (time.monotonic() - self._began + prior_s) / (self._done_s + prior_s)
        return max(0.0, self._planned_s - self._done_s) * pace

    def tell(self, text: str) -> None:
        """Say something on stderr."""
        minutes = (time.monotonic() - self._began) / 60
        print(f"[{minutes:5.1f} min, {self.left_s / 60:4.1f} left] {text}", file=sys.stderr, flush=True)
