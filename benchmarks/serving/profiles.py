"""Where one load's time went: what was found of it, as JSON and as Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.serving.tables import Table, markdown

NAME = "profile"
SHOWN_US = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One load on one worker.

    Attributes:
        model: that was served.
        rows: of each request.
        in_flight: requests at the same time.
        rate: requests a second while nothing but the load ran.
        p50_ms: median latency then.
        threads_us: CPU time of the worker a request then, by kind of thread.
        samples: stacks that py-spy saw of Python's threads while they did not wait.
        rooms: shares of what py-spy saw of Python's threads while they did not wait.
        leaves: the functions that were seen innermost most often: room, function, share.
        objects: shares of the worker's CPU time by kind of thread and shared object, as perf saw it.
    """

    model: str
    rows: int
    in_flight: int
    rate: float
    p50_ms: float
    threads_us: Mapping[str, float]
    samples: int
    rooms: Mapping[str, float]
    leaves: tuple[tuple[str, str, float], ...]
    objects: Mapping[str, float]

    @property
    def cpu_us(self) -> float:
        """The worker's CPU time a request."""
        return sum(self.threads_us.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiles:
    """Some loads, one after the other.

    Attributes:
        began: UTC.
        machine: as the benchmark describes it.
        versions: of the server's packages.
        python_threads: the kinds of thread that py-spy sees.
        profiles: each load.
    """

    began: str
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    python_threads: tuple[str, ...]
    profiles: tuple[Profile, ...]


def tables(found: Profiles) -> tuple[Table, ...]:
    """A table of rooms and one of threads, loads across; then the innermost functions and perf's view."""
    heads = [f"{each.model}, {each.in_flight} in flight" for each in found.profiles]
    loads = [
        ("requests a second", *(f"{each.rate:,.0f}" for each in found.profiles)),
        ("p50, ms", *(f"{each.p50_ms:.2f}" for each in found.profiles)),
        ("stacks", *(f"{each.samples:,}" for each in found.profiles)),
        ("CPU of the worker a request, µs", *(f"{each.cpu_us:,.0f}" for each in found.profiles)),
    ]
    rooms = [
        (name, *(_room(each, each.rooms.get(name, 0.0), found.python_threads) for each in found.profiles))
        for name in dict.fromkeys(name for each in found.profiles for name in each.rooms)
    ]
    names = dict.fromkeys(
        name for each in found.profiles for name, us in each.threads_us.items() if us >= SHOWN_US
    )
    rooms += [
        (name, *(_share(each.threads_us.get(name, 0.0), each) for each in found.profiles))
        for name in names
        if name not in found.python_threads
    ]
    threads = [
        (name, *(f"{each.threads_us.get(name, 0.0):,.1f}" for each in found.profiles)) for name in names
    ]
    leaves = [
        (f"{head}: {room}", function, f"{share:.0%}")
        for head, each in zip(heads, found.profiles, strict=True)
        for room, function, share in each.leaves
    ]
    objects = [
        (name, *(f"{each.objects.get(name, 0.0):.1%}" for each in found.profiles))
        for name in dict.fromkeys(name for each in found.profiles for name in each.objects)
    ]
    made = (
        Table(title="Loads", header=("", *heads), rows=loads),
        Table(title="Where a request's CPU time goes", header=("room", *heads), rows=rooms),
        Table(title="CPU a request by thread, µs", header=("thread", *heads), rows=threads),
        Table(title="Innermost functions", header=("room", "function", "share"), rows=leaves),
        Table(title="CPU by thread and shared object (perf)", header=("", *heads), rows=objects),
    )
    return tuple(table for table in made if table.rows)


def _room(profile: Profile, share: float, python_threads: Sequence[str]) -> str:
    python_us = sum(profile.threads_us.get(name, 0.0) for name in python_threads)
    return _share(share * python_us, profile)


def _share(us: float, profile: Profile) -> str:
    return f"{us / profile.cpu_us:.0%}, {us:,.1f} µs" if profile.cpu_us else "-"


def page(found: Profiles) -> str:
    """The profiles as Markdown."""
    lines = [
        "# Serving: where the time goes",
        "",
        f"Made by `python benchmarks/serving/profile.py`, begun {found.began}: one worker, single rows, "
        "h2load on the same cores.",
        "",
        "CPU time is what the kernel counted while nothing but the load ran. The rooms divide that of "
        "Python's threads as py-spy saw them, with the C functions, in a second load of the same kind: a "
        "stack belongs to the innermost of its frames that has a room, so what a room calls in numpy, "
        "protobuf or the kernel is the room's own. Where perf is at hand, stacks are weighted so that "
        "onnxruntime, gRPC's core, the kernel and Python have the shares that perf saw in a third load: "
        "py-spy stops the process to look, which slows some of it more than the rest. Waiting is left "
        "out. The innermost functions are as py-spy saw them. gRPC's own threads run no Python and stand "
        "apart.",
        "",
        "Machine: " + ", ".join(f"{name} {value}" for name, value in found.machine.items()) + ".",
        "Versions: " + ", ".join(f"{name} {value}" for name, value in found.versions.items()) + ".",
        "",
    ]
    for table in tables(found):
        lines += markdown(table)
    return "\n".join(lines).rstrip() + "\n"


def write(found: Profiles, folder: Path) -> None:
    """Write profile.json and profile.md."""
    folder.mkdir(parents=True, exist_ok=True)
    content = msgspec.json.format(msgspec.json.encode(found), indent=1)
    (folder / f"{NAME}.json").write_bytes(content + b"\n")
    (folder / f"{NAME}.md").write_text(page(found), encoding="utf-8")
