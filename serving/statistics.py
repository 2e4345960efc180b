"""What a server counts, in one process; several processes' counts add up."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRun:
    """One run of a model.

    Attributes:
        rows: of the batch, without padding.
        input_s: seconds that went into joining its requests.
        infer_s: that the model took.
        output_s: that went into handing the rows out.
    """

    rows: int
    input_s: float
    infer_s: float
    output_s: float


class ModelCounts(msgspec.Struct, kw_only=True):
    """What is counted of one version of a model; times in seconds, counts since the server's start.

    Attributes:
        model: its name.
        version: as the protocol carries it.
        succeeded: requests that were answered.
        failed: requests that were not, by reason.
        rows: that were answered.
        runs: of the model.
    """

    model: str
    version: str
    succeeded: int = 0
    failed: dict[str, int] = {}
    rows: int = 0
    runs: int = 0

    def add_success(self, *, rows: int, total_s: float, queue_s: float, run: BatchRun) -> None:
        """Count a request that was answered."""

    def add_failure(self, reason: str, *, total_s: float) -> None:
        """Count one that was not."""

    def add_run(self, run: BatchRun) -> None:
        """Count a run of the model."""


class Statistics:
    """The counts of all models of a process."""

    def of(self, model: str, version: str) -> ModelCounts:
        """The counts of one version, made when it is first asked for."""
        raise NotImplementedError

    def snapshot(self) -> tuple[ModelCounts, ...]:
        """All counts, as they are now."""
        raise NotImplementedError


def total(snapshots: Iterable[Iterable[ModelCounts]]) -> tuple[ModelCounts, ...]:
    """The sum of several processes' counts."""
    raise NotImplementedError
