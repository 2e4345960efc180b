"""What is told of one request once it is over."""

from dataclasses import dataclass

from serving.statistics import BatchRun

OK = "OK"

# Of each text that a client chose. All escaped, a line of the access log stays within the 4,096 bytes that a
# pipe takes whole.
MAX_TEXT = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One request, answered or not; the texts that come from clients are as they sent them.

    Attributes:
        began_s: when it came, in seconds since 1970.
        duration_s: until its end.
        protocol: `grpc` or `http`.
        method: the protocol's name of what was asked.
        peer: who asked.
        status: the code of its end, gRPC's word whichever the protocol.
        id: the client's for it, or one that was made.
        model: that was asked for.
        version: that answered, else the one that was asked for.
        queued_s: from its coming until it was handed to the model; None if it was not.
        rows: of it; None if it was not answered, and so are the next two.
        queue_s: that it waited for its batch.
        run: of its batch.
    """

    began_s: float
    duration_s: float
    protocol: str
    method: str
    peer: str
    status: str
    id: str = ""
    model: str = ""
    version: str = ""
    queued_s: float | None = None
    rows: int | None = None
    queue_s: float | None = None
    run: BatchRun | None = None
