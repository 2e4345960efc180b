"""What the root command hands to commands of this stage, so that nothing here imports a later one."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from export.runner import Runner


class Connect(Protocol):
    """Opens a live server as a runner."""

    def __call__(self, url: str, *, model: str, version: str) -> "Runner":
        """Prepare to run one version of a model by a server.

        Args:
            url: HOST:PORT of its gRPC.
            model: its name.
            version: that it must serve; entering the runner fails if it serves another.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What a command finds in its context.

    Attributes:
        connect: opens a live server.
        debug: whether the user asked for details of errors.
    """

    connect: Connect
    debug: bool
