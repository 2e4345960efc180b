"""The one protocol by which parity runs anything: a checkpoint, an artifact, a server, a device."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from numpy.typing import NDArray

from export.errors import ExportError

Feed = Mapping[str, NDArray[Any]]
Answer = dict[str, NDArray[Any]]


class RunError(ExportError):
    """What is run gives no usable answer to these samples: it is at fault, not whoever asks."""


class BrokenRuntimeError(ExportError):
    """What should run it does not work here, or not in time: nothing follows for what should be run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """What one input of a model takes.

    Attributes:
        name: of the input.
        dtype: as numpy names it.
        shape: of one sample, None for a free dimension.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]


class Runner(Protocol):
    """Gives `run(inputs) -> outputs` for one artifact, whatever its kind."""

    def run(self, feed: Feed) -> Answer:
        """Run the model.

        Args:
            feed: input name to array, the first dimension counts samples, dtypes and units as the
                reference's.

        Returns:
            Output name to array, likewise.

        Raises:
            RunError: it takes other samples, or fails on these.
        """
        ...

    def __enter__(self) -> Self:
        """Return the runner itself, ready to run."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Free what the runner holds."""
        ...


class Unheld:
    """What a runner is that holds nothing beyond memory: entering and leaving it do nothing."""

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave everything to the garbage collector."""
        return
