"""The options that `export` and `parity` share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from export.custom import CustomCode

RUNS = Path("runs")
REPOSITORY = Path("models")

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]
Custom = Annotated[
    Path | None, typer.Option(help="A Python file with layers of your own; it is run: needs --trust.")
]
Trust = Annotated[bool, typer.Option("--trust", help="Run the file that --custom names.")]
TimeLimit = Annotated[float, typer.Option(min=1, help="Seconds that one step may take.")]
ReportFile = Annotated[
    Path | None, typer.Option("--report", help="Write the HTML report to this file, whatever the verdict.")
]
JUnitFile = Annotated[Path | None, typer.Option(help="Write the verdicts as JUnit XML to this file.")]
Data = Annotated[str | None, typer.Option(help="mnist, an .npz file or a folder; by default the run's own.")]


def trusted(custom: Path | None, trust: bool) -> "CustomCode | None":
    """The code that --custom names, if --trust goes with it.

    Raises:
        SourceError: it does not, or the file cannot be read.
    """
    from export.custom import trust as take
    from export.errors import SourceError

    if custom is None:
        if trust:
            raise SourceError("--trust goes with --custom FILE.py: name the file, or leave it out")
        return None
    if not trust:
        raise SourceError(f"{custom} would be run: look at it, then add --trust")
    return take(custom)
