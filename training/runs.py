"""The runs of a folder, as one row each."""

from dataclasses import dataclass
from pathlib import Path

from training.errors import RecordError
from training.record import RECORD_NAME, Metrics, RunRecord, Status, read_record


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """What a listing says of a run; of one whose record cannot be read, only its path and why.

    Attributes:
        path: of the run directory.
        problem: why the record cannot be read; None if it can.
        created: ISO 8601, UTC.
        epochs: finished ones, a count.
        best_epoch: from 1; None before the first is finished.
        wall_seconds: None as long as training has not ended.
    """

    path: str
    problem: str | None = None
    name: str | None = None
    status: Status | None = None
    created: str | None = None
    recipe: str | None = None
    seed: int | None = None
    epochs: int | None = None
    best_epoch: int | None = None
    validation: Metrics | None = None
    test: Metrics | None = None
    wall_seconds: float | None = None


def list_runs(folder: Path) -> tuple[RunRow, ...]:
    """The runs in a folder, newest first, those with an unreadable record last.

    Raises:
        RecordError: there is no such folder.
    """
    if not folder.is_dir():
        raise RecordError(f"there is no folder {folder}: name the folder of the runs, or train first")
    rows = [_row(path.parent) for path in sorted(folder.glob(f"*/{RECORD_NAME}"))]
    return tuple(sorted(rows, key=lambda row: row.created or "", reverse=True))


def _row(path: Path) -> RunRow:
    try:
        return summarize_run(path, read_record(path))
    except RecordError as error:
        return RunRow(path=str(path), problem=str(error))
    except (UnicodeDecodeError, RecursionError) as error:  # what the JSON reader makes of garbage
        return RunRow(path=str(path), problem=f"{path / RECORD_NAME} is no run record ({error}): train again")


def summarize_run(path: Path, record: RunRecord) -> RunRow:
    """The row of a run whose record was read from `path`."""
    return RunRow(
        path=str(path),
        name=record.name,
        status=record.status,
        created=record.created,
        recipe=record.recipe,
        seed=record.seed,
        epochs=len(record.history),
        best_epoch=record.best_epoch,
        validation=record.validation,
        test=record.test,
        wall_seconds=record.wall_seconds or None,
    )
