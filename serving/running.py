"""What runs batches."""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from export.runner import Answer, Feed

Run = Callable[[Feed], Awaitable[Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AtOnce:
    """What runs feeds that gain nothing from waiting for others.

    Attributes:
        run: a feed, here and now.
        max_rows: of a feed that is run so.
    """

    run: Callable[[Feed], Answer]
    max_rows: int


@dataclass(slots=True, eq=False)
class Lane:
    """One that runs batches, one behind the other.

    Attributes:
        run: a batch, once those before it have run.
        batches: that it was handed and has not answered.
        ended: when it last ended a batch, on the clock.
    """

    run: Run
    batches: int = 0
    ended: float = -math.inf
