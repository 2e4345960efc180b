"""Throughput over p99 latency: one line a server, one point a load.

The empty handlers know no model, so they are drawn beside the default one alone, the bare loop beside all.
"""

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.serving.digest import Digest
from benchmarks.serving.plan import OURS
from benchmarks.serving.results import Cell
from benchmarks.serving.servers import SERVERS, Kind
from benchmarks.serving.summary import summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OURS_COLOUR, LIMIT_COLOUR = "#c0392b", "#888888"
SCALED_BY = "default"
PEER_COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#17becf", "#bcbd22")


def draw(digest: Digest, path: Path) -> None:
    """Draw a panel for each model and number of rows, as PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import StrMethodFormatter

    panels = list(dict.fromkeys((each.model, each.workers, each.rows) for each in digest.cells))
    across = min(3, len(panels))
    down = -(-len(panels) // across)
    figure, axes = plt.subplots(down, across, figsize=(5.2 * across, 4 * down), squeeze=False)
    peers = [server for server in digest.servers if SERVERS[server].kind is Kind.PEER]
    colours = dict(zip(peers, itertools.cycle(PEER_COLOURS), strict=False))
    for axis, panel in zip(axes.flat, panels, strict=False):
        cells = [each for each in digest.cells if (each.model, each.workers, each.rows) == panel]
        model, workers, rows = panel
        for server in digest.servers:
            if model == SCALED_BY or SERVERS[server].kind is not Kind.LIMIT:
                _line(axis, digest, server, cells, colours.get(server))
        _bare_line(axis, digest, cells)
        axis.set(xscale="log", yscale="log", xlabel="p99 latency, ms", ylabel="requests a second")
        axis.set_title(
            f"{model} model, {rows} row{'s' * (rows > 1)} a request, workers: {workers}", fontsize=10
        )
        axis.grid(which="both", alpha=0.25)
        for scale in (axis.xaxis, axis.yaxis):  # plain numbers in place of powers of ten
            scale.set_major_formatter(StrMethodFormatter("{x:,g}"))
            scale.set_minor_formatter(_between)
    for axis in list(axes.flat)[len(panels) :]:
        axis.set_axis_off()
    named = {
        label: line
        for axis in axes.flat
        for line, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.tight_layout()
    figure.legend(
        [*named.values()],
        [*named],
        ncols=min(6, len(named)),
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        fontsize=10,
        frameon=False,
    )
    figure.savefig(path, dpi=110, format="png", bbox_inches="tight")
    plt.close(figure)


def _between(value: float, _: int) -> str:
    """Few of the numbers between powers of ten."""
    return f"{value:,g}" if f"{value:e}"[0] in "25" else ""


def _bare_line(axis: "Axes", digest: Digest, cells: list[Cell]) -> None:
    """What one thread for each worker would answer in requests of as many rows."""
    loops = [each.rows_per_s * each.cell.workers for cell in cells for each in digest.bare(cell).values()]
    if loops:
        level = summary(loops).median / cells[0].rows
        axis.axhline(level, color="black", linewidth=1, linestyle="-.", label="bare onnxruntime loop")


def _line(axis: "Axes", digest: Digest, server: str, cells: list[Cell], colour: str | None) -> None:
    points = [
        (p99.median, rate.median, cell.in_flight)
        for cell in cells
        if (rate := digest.rate(server, cell)) and (p99 := digest.p99(server, cell))
    ]
    if not points:
        return
    latencies, rates, _ = zip(*points, strict=True)
    look = {
        Kind.OURS: {
            "color": OURS_COLOUR,
            "linewidth": 2.5 if server == OURS else 1.2,
            "linestyle": "-" if server == OURS else "--",
            "zorder": 5,
        },
        Kind.LIMIT: {"color": LIMIT_COLOUR, "linestyle": "--" if server.endswith("aio") else ":"},
        Kind.PEER: {"color": colour},
    }[SERVERS[server].kind]
    axis.plot(latencies, rates, marker="o", markersize=4, label=server, **look)
    if server == OURS:
        for latency, rate, load in points:
            axis.annotate(str(load), (latency, rate), textcoords="offset points", xytext=(4, 5), fontsize=8)
