"""An inference on its way through the server, whichever protocol brought it."""

from collections.abc import Mapping

import msgspec

from export.runner import Answer, Feed
from serving.statistics import BatchRun


class Inference(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks for, read from its message but not yet checked against the model.

    Attributes:
        model: its name.
        version: of the model; empty for the newest one that is served.
        id: to be echoed.
        feed: input name to array, the first dimension counts rows.
        outputs: the names of those wanted, in the order of the answer, each with how many top classes to give
            in place of its values, 0 for the values; all of the model's outputs if empty.
        timeout_s: the request's own parameter `timeout`; None if it has none.
        remaining_s: until the transport's deadline; None if there is none.
        priority: 1 is the highest, 0 the model's default.
        wire_bytes: of the message, which the transport holds until the answer is made.
    """

    model: str
    version: str = ""
    id: str = ""
    feed: Feed
    outputs: Mapping[str, int] = {}
    timeout_s: float | None = None
    remaining_s: float | None = None
    priority: int = 0
    wire_bytes: int = 0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an inference.

    Attributes:
        model: its name.
        version: the one that answered.
        id: the request's.
        outputs: output name to array, in the order that was asked for, else in the manifest's.
        rows: of the request.
        queue_s: seconds that it waited for its batch.
        run: of the batch.
    """

    model: str
    version: str
    id: str
    outputs: Answer
    rows: int
    queue_s: float
    run: BatchRun
