"""`keraport doctor`."""

import sys
from typing import Annotated

import typer


def doctor(
    context: typer.Context,
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="Look at the machine and the packages only; run no model.")
    ] = False,
    time_limit: Annotated[float, typer.Option(min=1, help="Seconds that one stage may take.")] = 900,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Check this machine's set-up, and run a small model through every stage in a temporary folder.

    Stages whose extra is not installed are left out. Exit codes: 0 what is installed works, 1 something is
    broken.
    """
    import msgspec

    from export.console import ConsoleListener, make_console
    from export.doctor.examination import examine
    from export.doctor.tables import print_diagnosis

    with ConsoleListener(make_console(sys.stderr)) as listener:
        found = examine(quick=quick, time_limit_s=time_limit, telling=listener.during)
    if as_json:
        typer.echo(msgspec.json.encode(found))
    else:
        print_diagnosis(make_console(sys.stdout), found, logs=context.obj.debug)
    raise typer.Exit(int(not found.healthy))
