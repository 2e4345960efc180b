"""`keraport inspect`."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def inspect(
    target: Annotated[
        Path,
        typer.Argument(
            help="A version, a folder of them (its newest), a run, a .keras, .onnx or .tflite file."
        ),
    ] = Path("models"),
    *,
    time_limit: Annotated[float, typer.Option(min=1, help="Seconds that opening one file may take.")] = 120,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show what a model file or a version holds, and whether it is what was published.

    Nothing of it is run. Exit codes: 0 intact, 1 a file is missing or was changed, 2 wrong usage or input.
    """
    import msgspec

    from export.console import make_console
    from export.inspecting.inspection import inspect_target
    from export.inspecting.tables import print_inspection

    found = inspect_target(target, time_limit_s=time_limit)
    if as_json:
        typer.echo(msgspec.json.encode(found))
    else:
        print_inspection(make_console(sys.stdout), found)
    raise typer.Exit(int(found.broken))
