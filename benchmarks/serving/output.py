"""Results on the terminal, and as files: JSON, a plot and a page, each whole or not at all."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.serving.digest import Digest
from benchmarks.serving.plot import draw
from benchmarks.serving.results import Results
from benchmarks.serving.tables import Table, tables

NAME = "serving"
FILE_WIDTH = 220


def show(results: Results) -> None:
    """Print all tables."""
    console = Console(width=None if sys.stdout.isatty() else FILE_WIDTH)
    for table in tables(Digest(results=results)):
        shown = RichTable(title=table.title, title_justify="left")
        for number, name in enumerate(table.header):
            shown.add_column(name, justify="right" if number else "left")
        for row in table.rows:
            shown.add_row(*row)
        console.print(shown)
    for failure in results.failures:
        console.print(
            f"not measured: {failure.server}, {failure.model}, {failure.what}: {failure.reason}", markup=False
        )


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
        f"Made by `python benchmarks/serving/run.py {' '.join(results.command)}`, begun {results.began}, "
        f"{results.minutes:.0f} minutes. All take turns on the same cores, where the load generator runs, "
        "too. Figures are medians of the rounds ± half the range between the extremes, ratios those of "
        "each round. Loads are closed loops of h2load if not said otherwise. CPU is the server's, a request. "
        "`plain` is a sync grpcio servicer of thirty lines; `empty-aio` and `empty-sync` answer known bytes "
        "without a model.",
        "",
        f"Machine: {machine}.",
        "",
        f"![Throughput over p99 latency]({NAME}.png)",
        "",
    ]
    for table in tables(digest):
        lines += _markdown(table)
    lines += ["## Versions", ""]
    lines += [
        f"- {server}: " + ", ".join(f"{package} {version}" for package, version in packages.items())
        for server, packages in results.versions.items()
    ]
    if results.failures:
        lines += ["", "## Not measured", ""]
        lines += [f"- {each.server}, {each.model}, {each.what}: {each.reason}" for each in results.failures]
    return "\n".join(lines) + "\n"


def _markdown(table: Table) -> list[str]:
    rows = [table.header, ["---"] + ["---:"] * (len(table.header) - 1), *table.rows]
    return [f"## {table.title}", "", *(f"| {' | '.join(row)} |" for row in rows), ""]


def _replace(path: Path, make: Callable[[Path], object]) -> None:
    """Make a file beside the old one, then put it in its place."""
    fresh = path.with_name(f".fresh-{path.name}")
    try:
        make(fresh)
        os.replace(fresh, path)  # noqa: PTH105
    finally:
        fresh.unlink(missing_ok=True)
