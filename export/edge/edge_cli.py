"""`keraport edge`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from export.options_cli import REPOSITORY, RUNS, AsJson, TimeLimit


def edge(
    context: typer.Context,
    target: Annotated[
        Path, typer.Argument(help="A published version, its model or the repository (the newest version).")
    ] = REPOSITORY,
    *,
    out: Annotated[Path, typer.Option(help="The kit's folder: new, empty, or an untouched kit.")],
    data: Annotated[
        str | None, typer.Option(help="Data for golden vectors and accuracies; by default the version's own.")
    ] = None,
    prefix: Annotated[
        str,
        typer.Option(help="What all names in the C begin with: give each kit of one firmware its own."),
    ] = "model",
    samples: Annotated[
        int, typer.Option(min=1, help="Test samples that prove it, beside the golden vectors.")
    ] = 1000,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Run it on emulated processors and in a browser too, where installed."),
    ] = False,
    flash: Annotated[str | None, typer.Option(help="Flash of the device, such as 64K.")] = None,
    ram: Annotated[str | None, typer.Option(help="RAM that the model may take, such as 48K.")] = None,
    time_limit: TimeLimit = 1800,
    as_json: AsJson = False,
) -> None:
    """Write a folder for firmware: the int8 model, its settings, and vectors that prove it on the device.

    Exit codes: 0 written, 1 the model does not fit, or the C answers otherwise than the reference kernels, 2
    wrong usage or input, 3 written, but none of its parts is proven, or something installed does not work.
    """
    import msgspec

    from export.console import ConsoleListener, make_console
    from export.edge.budget import Budget, OverBudgetError, parse_size
    from export.edge.folder import check_out
    from export.edge.kit import KitOptions, make_kit
    from export.edge.kit_table import print_kit, print_space
    from export.edge.prefix import Prefix
    from export.edge.subject import find_subject
    from export.served import own_data
    from training.datasets import load_dataset

    named = Prefix(prefix)
    budget = Budget(flash_bytes=parse_size(flash), ram_bytes=parse_size(ram))
    subject = find_subject(target)
    check_out(out, subject.folder.parent)
    dataset = load_dataset(data) if data else own_data(subject.target, subject.folder, RUNS)
    browser = context.obj.browser() if verify else None
    options = KitOptions(
        samples=samples, browser=browser, verify=verify, budget=budget, prefix=named, time_limit_s=time_limit
    )
    try:
        with ConsoleListener(make_console(sys.stderr)) as listener:
            kit = make_kit(subject, dataset, out, options=options, listener=listener)
    except OverBudgetError as error:
        if as_json:
            typer.echo(msgspec.json.encode({"over_budget": str(error), "rows": error.rows}))
        else:
            print_space(make_console(sys.stdout), error.rows, str(error))
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(msgspec.json.encode(kit))
    else:
        print_kit(make_console(sys.stdout), kit, out)
    raise typer.Exit(kit.verdict_of_parts.exit_code)
