"""Results on the terminal, and as files: JSON, a plot and a page, each whole or not at all."""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.serving.digest import Digest
from benchmarks.serving.plot import draw
from benchmarks.serving.results import Results
from benchmarks.serving.tables import Table, markdown, tables

NAME = "serving"
FILE_WIDTH = 220

METHOD = Path(__file__).resolve().parent / "method.md"


def show(results: Results) -> None:
    """Print all tables, and what is missing."""
    show_tables(tables(Digest(results=results)))
    for failure in results.failures:
        print(f"not measured: {failure.server}, {failure.model}, {failure.what}: {failure.reason}")


def show_tables(made: Iterable[Table]) -> None:
    """Print tables."""
    console = Console(width=None if sys.stdout.isatty() else FILE_WIDTH)
    for table in made:
        shown = RichTable(title=table.title, title_justify="left")
        for number, name in enumerate(table.header):
            shown.add_column(name, justify="right" if number else "left")
        for row in table.rows:
            shown.add_row(*row)
        console.print(shown)


def write(results: Results, folder: Path) -> None:
    """Write serving.json, serving.png and serving.md."""
    folder.mkdir(parents=True, exist_ok=True)
    digest = Digest(results=results)
    content = msgspec.json.format(msgspec.json.encode(results), indent=1)
    _replace(folder / f"{NAME}.json", lambda path: path.write_bytes(content + b"\n"))
    _replace(folder / f"{NAME}.png", lambda path: draw(digest, path))
    _replace(folder / f"{NAME}.md", lambda path: path.write_text(page(digest), encoding="utf-8"))


def read(path: Path) -> Results:
    """Results that were written."""
    return msgspec.json.decode(path.read_bytes(), type=Results)


def page(digest: Digest) -> str:
    """The results as Markdown."""
    results = digest.results
    machine = ", ".join(f"{name} {value}" for name, value in results.machine.items())
    lines = [
        "# Serving: keraport, its limits and its peers",
        "",
        f"Made by `{' '.join(('python benchmarks/serving/run.py', *results.command))}`, "
        f"begun {results.began}, {results.minutes:.0f} minutes. [How it is measured](#how-it-is-measured) "
        "and [with what](#versions) stand below; where keraport's own time goes is in "
        "[profile.md](profile.md).",
        "",
        f"Machine: {machine}.",
        "",
        f"![Throughput over p99 latency]({NAME}.png)",
        "",
    ]
    for table in tables(digest):
        lines += markdown(table)
    lines += [*METHOD.read_text(encoding="utf-8").splitlines(), "", "## Versions", ""]
    lines += [
        f"- {server}: " + ", ".join(f"{package} {version}" for package, version in packages.items())
        for server, packages in results.versions.items()
    ]
    if results.failures:
        lines += ["", "## Not measured", ""]
        lines += [f"- {each.server}, {each.model}, {each.what}: {each.reason}" for each in results.failures]
    return "\n".join(lines) + "\n"


def _replace(path: Path, make: Callable[[Path], object]) -> None:
    """Make a file beside the old one, then put it in its place."""
    fresh = path.with_name(f".fresh-{path.name}")
    try:
        make(fresh)
        os.replace(fresh, path)  # noqa: PTH105
    finally:
        fresh.unlink(missing_ok=True)
