"""What `export` and `parity` show people while they work."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from rich.console import Console
from rich.text import Text

from export.console_table import COLOURS
from export.manifest import Artifact
from export.reporting.markup import printable

if TYPE_CHECKING:
    from export.served import ServedCheck

PLAIN_WIDTH = 160  # where there is no terminal to measure, a table should not be squeezed into 80 columns


def make_console(stream: TextIO) -> Console:
    """A console on a stream, wide where nobody's window limits it."""
    return Console(file=stream, width=None if stream.isatty() else PLAIN_WIDTH)


class ConsoleListener:
    """A spinner with what is being done, and a line for each verdict; any thread may tell it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("")
        self._running: list[str] = []

    def __enter__(self) -> Self:
        """Start the spinner."""
        self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the spinner."""
        self._status.stop()

    @contextmanager
    def during(self, what: str) -> Iterator[None]:
        """Say that something is being done, as long as it is."""
        self._running.append(what)
        self._show()
        if not self._console.is_terminal:
            self._console.print(what, highlight=False)
        try:
            yield
        finally:
            self._running.remove(what)
            self._show()

    def _show(self) -> None:
        if self._console.is_terminal:
            self._status.update(" · ".join(list(self._running)))

    def done(self, artifact: Artifact) -> None:
        """Say an artifact's verdict."""
        line = Text(f"{artifact.format}: ").append(artifact.verdict, COLOURS[artifact.verdict])
        self._console.print(line.append(f", {printable(artifact.reason)}"))


def print_served(console: Console, result: "ServedCheck") -> None:
    """Print what a live server's answers show: the rows, then the verdict."""
    rows = result.rows
    if rows is not None:
        console.print(
            f"{rows.compared:,} rows compared: {rows.identical:,} identical, "
            f"{rows.beyond:,} beyond the tolerance",
            highlight=False,
        )
        if rows.beyond:
            listed = ", ".join(map(str, rows.first_beyond[:10]))
            more = ", ..." if rows.beyond > 10 else ""  # noqa: PLR2004  (as many as are listed)
            console.print(f"the first of them: {listed}{more}", highlight=False)
    line = Text("parity: ").append(result.verdict, COLOURS[result.verdict])
    console.print(line.append(f", {result.reason} ({result.url}, {result.model} version {result.version})"))
