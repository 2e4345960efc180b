"""Throughput over p99 latency: one line a server, one point a load."""

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.serving.digest import Digest
from benchmarks.serving.results import Cell
from benchmarks.serving.servers import SERVERS, Kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OURS_COLOUR, LIMIT_COLOUR = "#c0392b", "#999999"
PEER_COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#17becf", "#bcbd22")


def draw(digest: Digest, path: Path) -> None:
    """Draw a panel for each model and number of rows, as PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    panels = list(dict.fromkeys((each.model, each.workers, each.rows) for each in digest.cells))
    across = min(3, len(panels))
    down = -(-len(panels) // across)
    figure, axes = plt.subplots(down, across, figsize=(5.2 * across, 4 * down), squeeze=False)
    peers = [server for server in digest.servers if SERVERS[server].kind is Kind.PEER]
    colours = dict(zip(peers, itertools.cycle(PEER_COLOURS), strict=False))
    for axis, panel in zip(axes.flat, panels, strict=False):
        cells = [each for each in digest.cells if (each.model, each.workers, each.rows) == panel]
        for server in digest.servers:
            _line(axis, digest, server, cells, colours.get(server))
        model, workers, rows = panel
        axis.set(xscale="log", yscale="log", xlabel="p99 latency, ms", ylabel="requests a second")
        axis.set_title(
            f"{model} model, {rows} row{'s' * (rows > 1)} a request, workers: {workers}", fontsize=10
        )
        axis.grid(which="both", alpha=0.25)
    for axis in list(axes.flat)[len(panels) :]:
        axis.set_axis_off()
    axes.flat[0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110, format="png")
    plt.close(figure)


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
        Kind.OURS: {"color": OURS_COLOUR, "linewidth": 2.5, "zorder": 5},
        Kind.LIMIT: {"color": LIMIT_COLOUR, "linestyle": "--" if server.endswith("aio") else ":"},
        Kind.PEER: {"color": colour},
    }[SERVERS[server].kind]
    axis.plot(latencies, rates, marker="o", markersize=4, label=server, **look)
    if SERVERS[server].kind is Kind.OURS:
        for latency, rate, load in points:
            axis.annotate(str(load), (latency, rate), textcoords="offset points", xytext=(4, 5), fontsize=8)
