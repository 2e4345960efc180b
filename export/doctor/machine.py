"""What of the machine bears on keraport: Python, CPU, memory, disk, ports, folders."""

import os
import platform
import shutil
import socket
import sys
import tempfile
from collections.abc import Set as AbstractSet
from pathlib import Path

from export.doctor.finding import Finding, State

FIRST_PYTHON, BELOW_PYTHON = (3, 11), (3, 14)  # as pyproject.toml says
PORTS = (8000, 8001, 8002)
FOLDERS = (Path("runs"), Path("models"))
ENOUGH_MEMORY, ENOUGH_DISK = 2 << 30, 2 << 30  # bytes, for a model of MNIST's size in every format
CGROUP = Path("/sys/fs/cgroup")
X86 = ("x86_64", "amd64")


def examine_machine(extras: AbstractSet[str]) -> list[Finding]:
    """Look at the machine.

    Args:
        extras: those installed; TensorFlow's needs count if `train` is.
    """
    return [
        _python(),
        _cpu(needs_tensorflow="train" in extras),
        _cores(),
        _memory(),
        _disk(),
        *(_port(port) for port in PORTS),
        *(_folder(folder) for folder in FOLDERS),
    ]


def _python() -> Finding:
    version = platform.python_version()
    if FIRST_PYTHON <= sys.version_info[:2] < BELOW_PYTHON:
        return Finding(check="Python", state=State.OK, detail=f"{version} ({sys.executable})")
    first, below = (".".join(map(str, each)) for each in (FIRST_PYTHON, BELOW_PYTHON))
    return Finding(
        check="Python",
        state=State.BROKEN,
        detail=f"{version}, keraport needs {first} or newer, below {below}",
        mend="make an environment with such a Python",
    )


def _cpu(*, needs_tensorflow: bool) -> Finding:
    machine = platform.machine()
    flags = _cpu_flags()
    known = [name for name in ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni") if name in flags]
    detail = " ".join((machine, *known))
    if machine.lower() in X86 and flags and "avx" not in flags and needs_tensorflow:
        return Finding(
            check="CPU",
            state=State.BROKEN,
            detail=f"{detail}: no AVX, which TensorFlow's packages are built for",
            mend="train and export on another machine; serving needs no TensorFlow",
        )
    return Finding(check="CPU", state=State.OK, detail=detail)


def _cpu_flags() -> set[str]:
    """All flags that Linux shows; none where it is not Linux."""
    lines = _text(Path("/proc/cpuinfo")).splitlines()
    return {flag for line in lines if line.startswith(("flags", "Features")) for flag in line.split()}


def _cores() -> Finding:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    detail = f"{usable} usable of {os.cpu_count()}"
    quota, _, period = _text(CGROUP / "cpu.max").partition(" ")
    if quota.isdecimal() and period.strip().isdecimal():
        detail += f", the container may use {int(quota) / int(period):.3g}"
    return Finding(check="cores", state=State.OK, detail=detail)


def _memory() -> Finding:
    free = _free_memory()
    if free is None:
        return Finding(check="memory", state=State.SKIPPED, detail="this system does not say")
    return _enough("memory", free, ENOUGH_MEMORY, "end other programs, or allow the container more")


def _free_memory() -> int | None:
    """Bytes that may still be taken: the machine's, or the container's if those are fewer."""
    values = dict(line.split(":", 1) for line in _text(Path("/proc/meminfo")).splitlines() if ":" in line)
    available = values.get("MemAvailable", "").split()
    if not available:
        return None
    free = int(available[0]) * 1024
    limit, used = (_text(CGROUP / name).strip() for name in ("memory.max", "memory.current"))
    if limit.isdecimal() and used.isdecimal():
        free = min(free, max(0, int(limit) - int(used)))
    return free


def _disk() -> Finding:
    places = (Path.cwd(), Path(tempfile.gettempdir()))
    free, place = min((shutil.disk_usage(place).free, str(place)) for place in places)
    return _enough("disk", free, ENOUGH_DISK, f"make room in {place}, or set TMPDIR")


def _enough(check: str, free: int, enough: int, mend: str) -> Finding:
    detail = f"{free / (1 << 30):.1f} GiB free"
    if free >= enough:
        return Finding(check=check, state=State.OK, detail=detail)
    return Finding(
        check=check, state=State.WARNING, detail=f"{detail}, below {enough / (1 << 30):.0f}", mend=mend
    )


def _port(port: int) -> Finding:
    check = f"port {port}"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return Finding(
                check=check,
                state=State.WARNING,
                detail=f"not free ({error.strerror})",
                mend="stop what listens there, or give `keraport serve` another port",
            )
    return Finding(check=check, state=State.OK, detail="free")


def _folder(folder: Path) -> Finding:
    check = f"./{folder}"
    existing = folder if folder.exists() else Path()
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return Finding(
            check=check,
            state=State.WARNING,
            detail=f"cannot be written ({error.strerror})",
            mend="work in another folder, or give --out and --repository",
        )
    return Finding(check=check, state=State.OK, detail="can be written" if folder.exists() else "can be made")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
