"""`keraport train`."""

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer


def train(
    *,
    recipe: Annotated[str, typer.Option(help="A built-in recipe: notebook or default.")] = "default",
    data: Annotated[
        str, typer.Option(help="`mnist`, or an .npz file with x_train, y_train, x_test, y_test.")
    ] = "mnist",
    out: Annotated[Path | None, typer.Option(help="The run directory; by default runs/RECIPE-TIME.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, order, dropout and augmentation.")] = 0,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's number.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the run record as one JSON document.")
    ] = False,
) -> None:
    """Train, keep the best checkpoint by validation accuracy, write the run directory."""
    import msgspec
    from rich.console import Console

    from training.datasets import load_dataset
    from training.fit import train as run
    from training.progress import ConsoleListener
    from training.recipes import find_recipe

    chosen = find_recipe(recipe)
    if epochs is not None:
        chosen = dataclasses.replace(chosen, epochs=epochs)
    folder = out or Path("runs") / f"{chosen.name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    dataset = load_dataset(data)
    with ConsoleListener(Console(stderr=True), chosen.epochs) as listener:
        record = run(chosen, dataset, out=folder, seed=seed, listener=listener)
    if as_json:
        typer.echo(msgspec.json.encode(record))
        return
    test = record.test
    assert test is not None  # noqa: S101  (a complete run has been measured)
    typer.echo(
        f"{folder}: best epoch {record.best_epoch} of {len(record.history)}, "
        f"test accuracy {test.accuracy:.2%} "
        f"(95 % interval {test.accuracy_low:.2%} to {test.accuracy_high:.2%}, {test.samples:,} images), "
        f"{record.wall_seconds:.0f} s"
    )
