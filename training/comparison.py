"""Runs side by side: what differs, and whether their test accuracies differ by more than chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from training.errors import RecordError
from training.record import RunRecord, read_record
from training.runs import RunRow, summarize_run
from training.significance import Difference, judge_difference

# What a run came to, and what names it: the rest of the record is what it set out with.
OUTCOME = (
    "schema_version",
    "name",
    "status",
    "created",
    "history",
    "best_epoch",
    "checkpoint_sha256",
    "validation",
    "test",
    "wall_seconds",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Several runs; the first is the baseline.

    Attributes:
        settings: name to one value a run, of all that the runs set out with and that is not the same in all;
            None where a run lacks the setting.
        differences: one for each run but the first.
    """

    runs: tuple[RunRow, ...]
    settings: dict[str, tuple[object, ...]]
    differences: tuple[Difference, ...]


def compare_runs(paths: Sequence[Path]) -> Comparison:
    """Compare runs with the first of them.

    Raises:
        RecordError: fewer than two runs, or one whose record cannot be read.
    """
    if len(paths) < 2:  # noqa: PLR2004  (it takes two)
        raise RecordError("one run cannot be compared: name two or more run directories")
    records = [read_record(path) for path in paths]
    set_out = [_settings(record) for record in records]
    names = dict.fromkeys(name for settings in set_out for name in settings)
    values = {name: tuple(settings.get(name) for settings in set_out) for name in names}
    return Comparison(
        runs=tuple(summarize_run(path, record) for path, record in zip(paths, records, strict=True)),
        settings={name: row for name, row in values.items() if any(value != row[0] for value in row)},
        differences=tuple(
            judge_difference(str(path), record, str(paths[0]), records[0])
            for path, record in zip(paths[1:], records[1:], strict=True)
        ),
    )


def _settings(record: RunRecord) -> dict[str, object]:
    """What a run set out with, nested names joined by dots."""
    fields = msgspec.to_builtins(record)
    return _flat({name: value for name, value in fields.items() if name not in OUTCOME})


def _flat(fields: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in fields.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
