"""The report of a version: one self-contained page for a release ticket, and the same numbers as JSON."""

import html
from pathlib import Path

import msgspec

from export.manifest import Artifact, Manifest

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1f24; max-width: 64rem; margin: 2rem auto }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 }
th, td { padding: .35rem .6rem; border-bottom: 1px solid #d7dce2; text-align: right; vertical-align: top }
th:first-child, td:first-child, th:last-child, td:last-child { text-align: left }
.pass { color: #116329 } .fail, .refused { color: #b3261e } .inconclusive { color: #8a5a00 }
code { font-size: .85em; overflow-wrap: anywhere }
"""
COLUMNS = ("artifact", "bytes", "accuracy", "agreement", "max |Δ|", "drop at most", "verdict", "why")


def write_report(manifest: Manifest, folder: Path) -> None:
    """Write `report.html` and `report.json` into a folder that nobody reads yet."""
    (folder / "report.html").write_text(_page(manifest), encoding="utf-8")
    numbers = {
        "schema_version": manifest.schema_version,
        "model": manifest.model,
        "version": manifest.version,
        "dataset": manifest.dataset,
        "artifacts": manifest.artifacts,
    }
    (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(numbers), indent=2) + b"\n")


def cells(artifact: Artifact) -> tuple[str, ...]:
    """One artifact as texts in the order of `COLUMNS`; a dash where nothing was measured."""
    comparison = artifact.comparison
    deciding = comparison.deciding if comparison else None
    change = deciding.accuracy if deciding else None
    delta = comparison.max_abs_delta if comparison else None
    agreement = deciding.agreement if deciding else None
    return (
        artifact.format,
        f"{artifact.bytes:,}" if artifact.bytes else "-",
        f"{change.candidate:.2%}" if change else "-",
        "-" if agreement is None else f"{agreement:.2%}",
        "-" if delta is None else f"{delta:.1e}",
        f"{change.drop_upper_points:.3f} pp" if change else "-",
        artifact.verdict,
        artifact.reason,
    )


def _page(manifest: Manifest) -> str:
    title = html.escape(f"{manifest.model} version {manifest.version}")
    head = "".join(f"<th>{html.escape(column)}</th>" for column in COLUMNS)
    rows = "".join(
        f'<tr class="{artifact.verdict}">'
        + "".join(f"<td>{html.escape(text)}</td>" for text in cells(artifact))
        + "</tr>"
        for artifact in manifest.artifacts
    )
    facts = "".join(
        f"<tr><td>{html.escape(name)}</td><td><code>{html.escape(value)}</code></td></tr>"
        for name, value in _facts(manifest)
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style><h1>{title}</h1><table><tr>{head}</tr>{rows}</table>"
        f"<h2>Provenance</h2><table>{facts}</table></html>\n"
    )


def _facts(manifest: Manifest) -> list[tuple[str, str]]:
    return [
        ("created", manifest.created),
        ("run", manifest.source.run or "-"),
        ("checkpoint SHA-256", manifest.source.checkpoint_sha256),
        ("data", f"{manifest.dataset.name}, {manifest.dataset.samples:,} test samples"),
        ("data SHA-256", manifest.dataset.sha256),
        ("packages", ", ".join(f"{name} {version}" for name, version in manifest.packages.items())),
        ("CPU", ", ".join(manifest.cpu_flags) or "-"),
    ]
