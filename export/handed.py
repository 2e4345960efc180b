"""What the root command hands to commands of this stage, so that nothing here imports a later one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

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


class Browser(Protocol):
    """Runs a TFLite file of uint8 numbers in a browser."""

    def missing(self) -> tuple[str, ...]:
        """What is not installed of what it needs."""
        ...

    def require(self) -> None:
        """Check that it is installed.

        Raises:
            BrokenRuntimeError: something is missing.
        """
        ...

    def answer(
        self, model: "Path", samples: "NDArray[np.uint8]", *, time_limit_s: float
    ) -> "tuple[NDArray[np.uint8], str]":
        """Run samples one by one.

        Args:
            model: the file, of one input and one output.
            samples: as the file takes them, the first dimension counts them.
            time_limit_s: seconds that it may take.

        Returns:
            The outputs, one row a sample, and what ran them, with its release.

        Raises:
            RunError: the file cannot be run in it.
            BrokenRuntimeError: it is not installed, does not start, or takes too long.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What a command finds in its context.

    Attributes:
        connect: opens a live server.
        browser: finds the browser.
        debug: whether the user asked for details of errors.
    """

    connect: Connect
    browser: Callable[[], Browser]
    debug: bool
