"""A request on its way from gRPC to the method that answers it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from google.protobuf.message import Message


@dataclass(slots=True)
class Parcel:
    """A request as gRPC delivers it, to be taken out once.

    gRPC itself holds on to what it delivers, and to the bytes, until the answer is made. Emptied, the parcel
    costs nothing; the bytes remain, and count against the queue's limit.

    Attributes:
        message: the request; None once it was taken.
        wire_bytes: its size as it came.
    """

    message: Message | None
    wire_bytes: int

    def take(self) -> Any:  # noqa: ANN401  (each method has its messages)
        """The message, which is the taker's alone from now on."""
        message, self.message = self.message, None
        return message

    @classmethod
    def reader(cls, kind: type[Message]) -> Callable[[bytes], Self]:
        """What makes a parcel of a request's bytes."""
        return lambda content: cls(kind.FromString(content), len(content))
