"""What `keraport doctor` shows people."""

from collections import Counter

from rich.console import Console
from rich.table import Table
from rich.text import Text

from export.doctor.examination import Diagnosis
from export.doctor.finding import State
from export.inspecting.tables import one_line

COLOURS = {
    State.OK: "green",
    State.WARNING: "yellow",
    State.MISSING: "dim",
    State.SKIPPED: "dim",
    State.BROKEN: "bold red",
}


def print_diagnosis(console: Console, found: Diagnosis, *, logs: bool) -> None:
    """Print one row a check, then what it comes to; the logs of what is broken if asked for."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("check", "state", "seconds", "what was found"):
        table.add_column(column, justify="right" if column == "seconds" else "left")
    for each in found.findings:
        text = Text(one_line(each.detail))
        if each.mend:
            text.append(f": {one_line(each.mend)}", "bold")
        table.add_row(
            each.check,
            Text(each.state, COLOURS[each.state]),
            "" if each.seconds is None else f"{each.seconds:.1f}",
            text,
        )
    console.print(table)
    for each in found.findings if logs else ():
        if each.log:
            console.print(Text(f"\n{each.check}:", "bold"))
            for line in each.log.splitlines():
                console.print(Text(f"  {one_line(line)}"))
    console.print()
    console.print(_summary(found, logs=logs))


def _summary(found: Diagnosis, *, logs: bool) -> Text:
    counts = Counter(each.state for each in found.findings)
    if found.healthy:
        text = Text("what is installed works", "green")
    else:
        text = Text(f"{counts[State.BROKEN]} of {len(found.findings)} checks are broken", "bold red")
        if not logs and any(each.log for each in found.findings):
            text.append(" (--debug shows their logs)", "none")
    rest = [
        f"{counts[state]} {state}" for state in (State.WARNING, State.MISSING, State.SKIPPED) if counts[state]
    ]
    return text.append(f"; {', '.join(rest)}", "none") if rest else text
