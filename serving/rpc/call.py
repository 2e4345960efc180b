"""One RPC as handlers see it: who asks, by when, and how it ends."""

import time
from collections.abc import Sequence
from typing import NoReturn

import grpc

from serving.rpc.core import NO_FLAGS, Event, Operation, cygrpc

Metadata = Sequence[tuple[str, str | bytes]]

FAR_S = 1e12  # what gRPC has for the deadline of an RPC that has none is beyond

# It holds nothing of a call: all may send the same.
HEADERS = cygrpc.SendInitialMetadataOperation(None, NO_FLAGS)


class Ended(Exception):  # noqa: N818  (an end that a handler chooses is no error)
    """The RPC ends with another status than OK."""

    def __init__(self, code: grpc.StatusCode, text: str = "", trailing: Metadata = ()) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text
        self.trailing = trailing


class Call:
    """One RPC.

    Attributes:
        trailing: metadata behind the answer.
    """

    __slots__ = ("_call", "_deadline", "_metadata", "trailing")

    def __init__(self, event: Event) -> None:
        self._call = event.call
        self._deadline: float = event.call_details.deadline
        self._metadata = event.invocation_metadata
        self.trailing: Metadata = ()

    def peer(self) -> str:
        """The client's address, as gRPC writes it."""
        return str(self._call.peer().decode())

    def headers(self) -> Metadata:
        """The metadata that the client sent."""
        metadata: Metadata = self._metadata
        return metadata

    def time_remaining(self) -> float | None:
        """Seconds until the deadline, 0 if it has passed, None if there is none."""
        if self._deadline > FAR_S:
            return None
        return max(0.0, self._deadline - time.time())

    async def abort(self, code: grpc.StatusCode, text: str = "", trailing: Metadata = ()) -> NoReturn:
        """End with another status than OK."""
        raise Ended(code, text, trailing)


def send_ok(trailing: Metadata) -> Operation:
    """Ends an RPC well."""
    return cygrpc.SendStatusFromServerOperation(trailing or None, cygrpc.StatusCode.ok, b"", NO_FLAGS)


def send_end(ended: Ended, trailing: Metadata) -> Operation:
    """Ends an RPC otherwise."""
    code = ended.code.value[0]
    metadata = (*ended.trailing, *trailing) or None
    return cygrpc.SendStatusFromServerOperation(metadata, code, ended.text.encode(), NO_FLAGS)


def ignore(_: object) -> None:
    """For completions from which nothing follows."""
