"""What is seen of a loaded process from outside: its threads' CPU time, its stacks, its shared objects."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from benchmarks.serving.environments import python_of
from benchmarks.serving.errors import BenchmarkError
from benchmarks.serving.processes import CPU, TICKS
from benchmarks.serving.rooms import kind_of

ENVIRONMENT = "profile"
STACKS_PER_S, PERF_PER_S = 100, 499
GRACE_S = 60.0
MAIN, OTHERS = "Python: main thread", "Python: other threads"
PYTHON_THREADS = (MAIN, OTHERS)
RIGHTS = "run it as root, or allow it: sysctl kernel.yama.ptrace_scope=0"
ROW = re.compile(r"^\s*([\d.]+)%\s*\|([^|]+)\|(.+)$")


def threads_cpu_s(pid: int) -> dict[str, float]:
    """CPU seconds of a process's threads so far, by kind: gRPC gives its own threads names."""
    seconds: dict[str, float] = {}
    main = _name(pid)
    for task in Path(f"/proc/{pid}/task").iterdir():
        head, _, rest = (task / "stat").read_text().rpartition(")")
        name = _kind(head.partition("(")[2], main, is_main=task.name == str(pid))
        seconds[name] = seconds.get(name, 0.0) + sum(map(int, rest.split()[CPU])) / TICKS
    return seconds


def _kind(name: str, main: str, *, is_main: bool) -> str:
    if name != main:
        return f"gRPC: {name}"
    return MAIN if is_main else OTHERS


def stacks(pid: int, seconds: float, file: Path) -> list[str]:
    """What py-spy samples, in its raw format: frames with semicolons between, and how often they were seen.

    Raises:
        BenchmarkError: it may not, or cannot.
    """
    program = Path(python_of(ENVIRONMENT)).parent / "py-spy"
    command = [str(program), "record", "--native", "--full-filenames", "--format", "raw"]
    command += ["--rate", str(STACKS_PER_S), "--duration", f"{seconds:.0f}", "--output", str(file)]
    done = _run([*command, "--pid", str(pid)], seconds)
    if done.returncode:
        raise BenchmarkError(f"py-spy failed ({RIGHTS}): {done.stderr.strip()[-300:]}")
    return file.read_text().splitlines()


def objects(pid: int, seconds: float, file: Path) -> dict[tuple[str, str], float]:
    """Shares of a process's CPU time by thread's name and shared object; nothing where perf is missing."""
    if shutil.which("perf") is None:
        return {}
    record = ["perf", "record", "-e", "cpu-clock", "-F", str(PERF_PER_S), "-p", str(pid), "-o", str(file)]
    if _run([*record, "--", "sleep", str(seconds)], seconds).returncode:
        return {}
    report = ["perf", "report", "-i", str(file), "--stdio", "--sort", "comm,dso", "-g", "none", "-t", "|"]
    return read_report(_run(report, seconds).stdout)


def read_report(text: str) -> dict[tuple[str, str], float]:
    """Of perf's lines of overhead, thread and object."""
    found = [match for line in text.splitlines() if (match := ROW.match(line))]
    return {(match[2].strip(), match[3].strip()): float(match[1]) / 100 for match in found}


def python_objects(pid: int, found: Mapping[tuple[str, str], float]) -> dict[str, float]:
    """Of Python's threads the CPU time of each kind of object."""
    main = _name(pid)
    kinds: dict[str, float] = {}
    for (thread, name), share in found.items():
        if thread == main:
            kinds[kind_of(name)] = kinds.get(kind_of(name), 0.0) + share
    return kinds


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def _run(command: list[str], seconds: float) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + GRACE_S)
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"{command[0]} did not end in time") from error
