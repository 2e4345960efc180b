"""How many processor cores this process may use."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

MAX_DEFAULT_WORKERS = 4
MAX_DEFAULT_SESSIONS = 8
V1_FOLDERS = ("cpu", "cpu,cpuacct")


def default_workers(cores: int) -> int:
    """Worker processes, where none are asked for."""
    return min(MAX_DEFAULT_WORKERS, cores)


def default_sessions(cores: int, workers: int) -> int:
    """Runs of one model at the same time in each worker, where none are asked for and batches gain little.

    A client with one connection keeps one worker busy, so each has more than its share, all together at most
    two for a core.
    """
    return max(1, min(MAX_DEFAULT_SESSIONS, cores, 2 * cores // workers))


def usable_cores(root: Path = Path("/")) -> int:
    """Cores by affinity and the control group's quota, at least 1.

    Args:
        root: of the file system in which `proc` and `sys` are looked up.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, quota_cores(root) or allowed))


def quota_cores(root: Path = Path("/")) -> int | None:
    """Whole cores that the control groups around this process grant it, rounded up; None without a quota."""
    quotas = [quota for quota in _quotas(root) if quota > 0]
    return max(1, math.ceil(min(quotas))) if quotas else None


def oversubscription(*, workers: int, sessions: int, intra_op_threads: int, cores: int) -> str | None:
    """What to warn of where more threads would compute than there are cores; None where there is no need."""
    threads = workers * sessions * intra_op_threads
    if threads <= cores:
        return None
    return (
        f"{workers} workers x {sessions} sessions x {intra_op_threads} intra-op threads are {threads} "
        f"on {cores} usable cores, which makes all of them slower: lower one of the three"
    )


def _quotas(root: Path) -> Iterator[float]:
    """Quota divided by period, of each group from this process's own up; a group's limit holds below it."""
    mount = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if not controllers:
            for folder in _upwards(mount, group):
                yield from _quotient(*_read(folder / "cpu.max").split()[:2])
        elif "cpu" in controllers.split(","):
            for name in V1_FOLDERS:
                for folder in _upwards(mount / name, group):
                    quota, period = (
                        _read(folder / f"cpu.cfs_{which}_us").strip() for which in ("quota", "period")
                    )
                    yield from _quotient(quota, period)


def _upwards(mount: Path, group: str) -> Iterator[Path]:
    """The group's folder and those above it; in a container the group's own may not be visible."""
    folder = mount.joinpath(*(part for part in group.split("/") if part not in ("", "..")))
    while folder != mount:
        yield folder
        folder = folder.parent
    yield mount


def _quotient(*texts: str) -> Iterator[float]:
    try:
        quota, period = map(int, texts)
        yield quota / period
    except (ValueError, ZeroDivisionError):  # no such file, or `max`
        return


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
