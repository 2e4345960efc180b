"""The results as rows of text, for the terminal and for the page alike."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.serving.digest import Digest
from benchmarks.serving.goals import goals
from benchmarks.serving.plan import OURS
from benchmarks.serving.results import Bare, Measurement
from benchmarks.serving.servers import SERVERS, Kind
from benchmarks.serving.summary import Summary, summary

NONE = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Some figures.

    Attributes:
        title: what of.
        header: names of the columns; the first ones are texts.
        rows: cells of text.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(digest: Digest) -> tuple[Table, ...]:
    """All there is to show."""
    made = (
        _goals(digest),
        *_ratios(digest),
        *_rates(digest),
        _bare(digest),
        _paced(digest),
        _streamed(digest),
        _starts(digest),
    )
    return tuple(table for table in made if table.rows)


def markdown(table: Table) -> list[str]:
    """A table's lines, its title first."""
    rows = [table.header, ["---"] + ["---:"] * (len(table.header) - 1), *table.rows]
    return [f"## {table.title}", "", *(f"| {' | '.join(row)} |" for row in rows), ""]


def figure(value: Summary | None, digits: int | None = None) -> str:
    """A median and its spread, such as `3,034 ±4 %`."""
    if value is None:
        return NONE
    if digits is None:
        digits = 0 if value.median >= 100 else 1 if value.median >= 10 else 2  # noqa: PLR2004
    return f"{value.median:,.{digits}f} ±{100 * value.spread:.0f} %"


def _goals(digest: Digest) -> Table:
    rows = [
        (
            goal.text,
            figure(goal.value, 2),
            f"{'≥' if goal.at_least else '≤'} {goal.limit:g}{goal.unit}",
            "yes" if goal.met else "no",
        )
        for goal in goals(digest)
    ]
    return Table(title="What keraport is held to", header=("what", "reached", "wanted", "met"), rows=rows)


def _ratios(digest: Digest) -> list[Table]:
    """A table a model and number of workers: loads down, servers across."""
    return [
        _ratios_of(digest, model, workers)
        for model, workers in dict.fromkeys((each.model, each.workers) for each in digest.cells)
    ]


def _ratios_of(digest: Digest, model: str, workers: int) -> Table:
    """The empty handlers, which know no model, beside the default one alone; the loop with as many rows."""
    others = [
        name
        for name in digest.servers
        if name != OURS and (model == "default" or SERVERS[name].kind is not Kind.LIMIT)
    ]
    lines = []
    for cell in digest.cells:
        if (cell.model, cell.workers) == (model, workers) and digest.of(OURS, cell):
            found = [digest.against(OURS, name, cell, lambda each: each.load.rate) for name in others]
            found.append(digest.against_bare(OURS, cell, _to_bare))
            lines.append([str(cell.rows), str(cell.in_flight), *(figure(value, 2) for value in found)])
    title = f"keraport's requests a second to those of others: {model} model, workers: {workers}"
    return Table(title=title, header=["rows", "in flight", *others, "the bare loop"], rows=lines)


def _to_bare(each: Measurement, bare: Bare) -> float:
    return each.load.rate * each.cell.rows / (bare.rows_per_s * each.cell.workers)


def _rates(digest: Digest) -> list[Table]:
    """A table a model, number of workers and rows: servers down, loads across."""
    made = []
    for model, workers, rows in dict.fromkeys((each.model, each.workers, each.rows) for each in digest.cells):
        cells = [
            each for each in digest.cells if (each.model, each.workers, each.rows) == (model, workers, rows)
        ]
        title = f"{model} model, {rows} row{'s' * (rows > 1)} a request, workers: {workers}"
        header = ["server"]
        for cell in cells:
            header += [f"{cell.in_flight} in flight, req/s", "p50 ms", "p99 ms", "CPU µs"]
        lines = []
        for server in digest.servers:
            line = [server]
            for cell in cells:
                line += [figure(digest.rate(server, cell))]
                line += [
                    f"{value.median:,.2f}" if value else NONE
                    for value in (digest.p50(server, cell), digest.p99(server, cell))
                ]
                cpu = digest.cpu_us(server, cell)
                line += [f"{cpu.median:,.0f}" if cpu else NONE]
            lines.append(line)
        made.append(Table(title=title, header=header, rows=lines))
    return made


def _bare(digest: Digest) -> Table:
    rows = []
    loops = digest.results.bare
    for key in dict.fromkeys((each.cell.model, each.cell.rows) for each in loops):
        these = [each for each in loops if (each.cell.model, each.cell.rows) == key]
        rate, run = summary(each.rows_per_s for each in these), summary(each.run_ms for each in these)
        rows.append((key[0], str(key[1]), figure(rate), figure(run, 3)))
    return Table(title="The bare onnxruntime loop", header=("model", "rows", "rows/s", "ms a run"), rows=rows)


def _paced(digest: Digest) -> Table:
    rows = []
    paced = digest.results.paced
    for key in dict.fromkeys((each.model, each.workers, each.arrivals, each.server) for each in paced):
        these = [each for each in paced if (each.model, each.workers, each.arrivals, each.server) == key]
        model, workers, arrivals, server = key
        kept = summary(each.kept for each in these).median
        rows.append(
            (
                *(model, str(workers), arrivals, server),
                f"{summary(each.asked_per_s for each in these).median:,.0f}",
                f"{kept:.0%}",
                figure(summary(each.p50_ms for each in these)),
                figure(summary(each.p99_ms for each in these)),
            )
        )
    header = ("model", "workers", "arrivals", "server", "asked/s", "in time", "p50 ms", "p99 ms")
    return Table(title="Open loop at 70 % of each server's capacity", header=header, rows=rows)


def _streamed(digest: Digest) -> Table:
    rows = []
    streamed = digest.results.streamed
    for key in dict.fromkeys((each.model, each.workers, each.in_flight, each.way) for each in streamed):
        these = [each for each in streamed if (each.model, each.workers, each.in_flight, each.way) == key]
        model, workers, in_flight, way = key
        values = [
            figure(summary(values))
            for values in zip(*((each.rate, each.p50_ms, each.p99_ms) for each in these), strict=True)
        ]
        rows.append((model, str(workers), str(in_flight), way, *values))
    header = ("model", "workers", "in flight", "calls", "answers/s", "p50 ms", "p99 ms")
    return Table(title="keraport's streams against its unary calls, Python client", header=header, rows=rows)


def _starts(digest: Digest) -> Table:
    rows = [
        (
            *(each.model, str(each.workers), each.server, figure(summary(each.start_s))),
            f"{sum(each.resident_mib):,.0f}",
            " + ".join(f"{mib:,.0f}" for mib in sorted(each.resident_mib, reverse=True)),
            f"{100 * each.idle_cores:.0f} %",
        )
        for each in digest.results.starts
    ]
    header = (
        "model",
        "workers",
        "server",
        "s to the first answer",
        "resident MiB",
        "of its processes",
        "idle",
    )
    return Table(title="Start and memory", header=header, rows=rows)
