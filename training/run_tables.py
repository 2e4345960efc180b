"""How `keraport runs` prints: tables for people, one document for programs."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from training.comparison import Comparison
from training.printable import printable
from training.record import Epoch, RunRecord
from training.run_texts import NONE, duration_text, metric_texts, plain_text, result_text
from training.runs import RunRow
from training.tables import PLAIN_WIDTH

LABELS = 10  # more are no overview


def to_json(document: object) -> str:
    """An indented JSON document."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def print_listing(console: Console, rows: Sequence[RunRow], folder: Path) -> None:
    """Print one line a run, and beneath why some cannot be read."""
    if not rows:
        console.print(f"there is no run in {folder}: run `keraport train` first")
        return
    table = _table("run", "status", "recipe", "seed", "epochs", "best", "validation", "test (95 %)", "time")
    for row in rows:
        status = "unreadable" if row.problem else plain_text(row.status)
        settings = (plain_text(value) for value in (row.recipe, row.seed, row.epochs, row.best_epoch))
        results = (
            result_text(row.validation),
            result_text(row.test, interval=True),
            duration_text(row.wall_seconds),
        )
        table.add_row(row.path, status, *settings, *results)
    _print_wide(console, table)
    for row in rows:
        if row.problem:
            console.print(f"unreadable: {row.problem}", style="yellow", soft_wrap=True)


def print_run(console: Console, path: Path, record: RunRecord) -> None:
    """Print a run's record: how it ended, what it set out with, its metrics, its epochs."""
    console.print(
        f"{path}: {record.status}, {record.recipe}, seed {record.seed}", style="bold", soft_wrap=True
    )
    labels = printable(", ".join(record.labels[:LABELS]))
    facts: dict[str, object] = {
        "created": record.created,
        "time": duration_text(record.wall_seconds),
        "parameters": f"{record.parameters:,}",
        "architecture": record.architecture_sha256 and f"SHA-256 {record.architecture_sha256}",
        "deterministic": record.deterministic,
        "checkpoint": record.checkpoint_sha256 and f"SHA-256 {record.checkpoint_sha256}",
        "classes": f"{len(record.labels):,}: {labels}{', …' if len(record.labels) > LABELS else ''}",
    }
    _print_facts(console, "", facts)
    _print_facts(console, "settings", record.settings)
    _print_facts(console, "data", msgspec.to_builtins(record.dataset))
    _print_facts(console, "packages", dict(record.packages))
    splits = {"validation": record.validation, "test": record.test}
    for name, metrics in splits.items():
        if metrics is not None:
            _print_facts(console, name, dict(metric_texts(metrics)))
    if record.history:
        console.print("\nepochs", style="bold")
        console.print(_epochs(record.history, record.best_epoch))


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Print the settings that differ, the metrics, and what the difference of the accuracies is worth."""
    table = _table("", *(row.path for row in comparison.runs))
    for name, values in comparison.settings.items():
        table.add_row(name, *map(plain_text, values))
    if not comparison.settings:
        table.add_row("settings", *("the same" for _ in comparison.runs))
    table.add_section()
    outcomes = [dict(_outcome(row)) for row in comparison.runs]
    for name in dict.fromkeys(name for outcome in outcomes for name in outcome):
        table.add_row(name, *(outcome.get(name, NONE) for outcome in outcomes))
    _print_wide(console, table)
    console.print()
    for difference in comparison.differences:
        console.print(difference.statement, soft_wrap=True)
    if any(difference.low is not None for difference in comparison.differences):
        console.print(
            "Noise is what another draw of the test samples would change, by Newcombe's interval for two "
            "independent proportions (1998, method 10), each on its own; another seed moves accuracies too.",
            soft_wrap=True,
        )


def _outcome(row: RunRow) -> Iterable[tuple[str, str]]:
    yield "status", plain_text(row.status)
    yield "epochs", plain_text(row.epochs)
    yield "best epoch", plain_text(row.best_epoch)
    yield "time", duration_text(row.wall_seconds)
    for split, metrics in (("validation", row.validation), ("test", row.test)):
        if metrics is not None:
            yield from ((f"{split} {name}", value) for name, value in metric_texts(metrics))


def _epochs(history: Sequence[Epoch], best: int | None) -> Table:
    table = _table("epoch", "loss", "accuracy", "validation loss", "accuracy", "seconds", "")
    for epoch in history:
        table.add_row(
            str(epoch.epoch),
            f"{epoch.loss:.4f}",
            NONE if epoch.accuracy is None else f"{epoch.accuracy:.2%}",
            f"{epoch.validation_loss:.4f}",
            NONE if epoch.validation_accuracy is None else f"{epoch.validation_accuracy:.2%}",
            f"{epoch.seconds:.1f}",
            "best" if epoch.epoch == best else "",
        )
    return table


def _print_facts(console: Console, title: str, facts: dict[str, object]) -> None:
    if title:
        console.print(f"\n{title}", style="bold")
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in facts.items():
        table.add_row(name, plain_text(value))
    console.print(table)


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _print_wide(console: Console, table: Table) -> None:
    """Let a narrow window wrap whole lines, which is easier to read than words broken within cells."""
    console.width = max(console.width, PLAIN_WIDTH)
    console.print(table)
