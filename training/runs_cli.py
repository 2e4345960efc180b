"""`keraport runs`: look at the runs that there are, and compare them."""

from pathlib import Path
from typing import Annotated

import typer

RunDirectory = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

runs_app = typer.Typer(no_args_is_help=True, help="List, show and compare runs.")


@runs_app.callback()
def runs() -> None:
    """List, show and compare runs."""


@runs_app.command("list")
def list_all(
    *,
    folder: Annotated[Path, typer.Option("--runs", help="The folder of the run directories.")] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """List the runs of a folder, the newest first."""
    import sys

    from training.run_tables import print_listing, to_json
    from training.runs import list_runs
    from training.tables import make_console

    rows = list_runs(folder)
    if as_json:
        typer.echo(to_json({"runs": rows}))
    else:
        print_listing(make_console(sys.stdout), rows, folder)


@runs_app.command()
def show(run: RunDirectory, *, as_json: AsJson = False) -> None:
    """Show all that a run's record holds; --json prints the record itself."""
    import sys

    from training.record import read_record
    from training.run_tables import print_run, to_json
    from training.tables import make_console

    record = read_record(run)
    if as_json:
        typer.echo(to_json(record))
    else:
        print_run(make_console(sys.stdout), run, record)


@runs_app.command()
def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN RUN...", help="Run directories; the first is the baseline.")
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Compare runs with the first one: what differs, and whether the test accuracies differ beyond noise."""
    import sys

    from training.comparison import compare_runs
    from training.run_tables import print_comparison, to_json
    from training.tables import make_console

    comparison = compare_runs(runs)
    if as_json:
        typer.echo(to_json(comparison))
    else:
        print_comparison(make_console(sys.stdout), comparison)
