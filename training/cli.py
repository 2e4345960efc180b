"""`keraport train`."""

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from training.data_cli import Grey, ImageSize, TaskName, TestShare, data_options

if TYPE_CHECKING:
    from training.plan import Plan
    from training.record import Metrics, RunRecord


# What goes with --resume, because it changes nothing of what was begun.
WITH_RESUME = {"resume", "tensorboard", "as_json"}


def train(
    context: typer.Context,
    *,
    recipe: Annotated[str, typer.Option(help="notebook, default, best, compact or tiny.")] = "default",
    architecture: Annotated[
        str | None,
        typer.Option(help="FILE.py:FUNCTION, called as build(input_shape, classes). Runs the file."),
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change a setting of the recipe.")
    ] = None,
    data: Annotated[
        str, typer.Option(help="mnist, fashion_mnist, an .npz file, a folder of IDX files or of images.")
    ] = "mnist",
    image_size: ImageSize = None,
    grey: Grey = None,
    test_share: TestShare = 0.2,
    task: TaskName = None,
    out: Annotated[Path | None, typer.Option(help="The run directory; by default runs/RECIPE-TIME.")] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Of weights, order, dropout, augmentation.")
    ] = 0,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's number.")] = None,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="The same weights each time on one machine; slower.")
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write event files too, into RUN/tensorboard.")
    ] = False,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with this unfinished run, as it was begun.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the run record as one JSON document.")
    ] = False,
) -> None:
    """Train, keep the best checkpoint by validation results, write the run directory."""
    import msgspec
    from rich.console import Console

    from training.checks import check_dataset
    from training.custom import with_absolute_file
    from training.datasets import load_dataset
    from training.fit import train as run
    from training.plan import Plan, plan_to_resume
    from training.progress import ConsoleListener
    from training.recipes import change_settings, find_recipe

    if resume is not None:
        _refuse_options(context)
        plan, source = plan_to_resume(resume, tensorboard=tensorboard)
    else:
        chosen = change_settings(find_recipe(recipe), changes or [])
        chosen = dataclasses.replace(
            chosen,
            epochs=epochs or chosen.epochs,
            architecture=with_absolute_file(architecture or chosen.architecture),
        )
        folder = out or Path("runs") / f"{chosen.name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        options = data_options(image_size=image_size, grey=grey, test_share=test_share, task=task)
        plan = Plan(
            recipe=chosen,
            options=options,
            out=folder,
            seed=seed,
            deterministic=deterministic,
            tensorboard=tensorboard,
        )
        source = data
    dataset = load_dataset(source, plan.options)
    with ConsoleListener(Console(stderr=True), plan.recipe.epochs) as listener:
        for warning in check_dataset(dataset):
            listener.say(f"warning: {warning}")
        record = run(plan, dataset, listener)
    typer.echo(msgspec.json.encode(record) if as_json else _summary(plan, record))


def _refuse_options(context: typer.Context) -> None:
    """Refuse options that a resumed run could not follow."""
    from training.errors import RecordError

    given = [
        option.opts[0]
        for option in context.command.params
        if option.name not in WITH_RESUME
        and (origin := context.get_parameter_source(option.name or "")) is not None
        and origin.name == "COMMANDLINE"
    ]
    if given:
        raise RecordError(f"a resumed run goes on as it was begun: leave out {', '.join(given)}")


def _summary(plan: "Plan", record: "RunRecord") -> str:
    assert record.test is not None  # noqa: S101  (a complete run has been measured)
    return (
        f"{plan.out}: best epoch {record.best_epoch} of {len(record.history)}, {_result(record.test)}, "
        f"{record.wall_seconds:.0f} s"
    )


def _result(test: "Metrics") -> str:
    if test.accuracy is None or test.accuracy_low is None or test.accuracy_high is None:
        return f"test RMSE {test.rmse:.4g}, mean absolute error {test.mae:.4g} ({test.samples:,} samples)"
    return (
        f"test accuracy {test.accuracy:.2%} "
        f"(95 % interval {test.accuracy_low:.2%} to {test.accuracy_high:.2%}, {test.samples:,} samples)"
    )
