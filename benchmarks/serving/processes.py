"""Server processes: started in a group of their own, watched, and always ended."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.serving.errors import BenchmarkError

END_SECONDS = 15.0
POLL_SECONDS = 0.01
TICKS = os.sysconf("SC_CLK_TCK")
LOG_TAIL = 1500

SET_CHILD_SUBREAPER = 36  # of Linux's prctl

# Fields of /proc/PID/stat, counted from the state.
PARENT, CPU, STARTED = 1, slice(11, 13), 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """How a server is started.

    Attributes:
        arguments: program and arguments.
        environment: variables beside those of this process.
        folder: where it runs.
        copies: how many share the port, where the program itself knows no workers.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    copies: int = 1


class ServerProcess:
    """A running server with its children.

    Attributes:
        start_s: from its start to its first right answer.
    """

    def __init__(self, processes: Sequence[subprocess.Popen[bytes]], log: Path) -> None:
        self._processes = processes
        self._log = log
        self.start_s = 0.0

    @property
    def pids(self) -> tuple[int, ...]:
        """The server's processes."""
        return tuple(pid for process in self._processes for pid in descendants(process.pid))

    def cpu_s(self) -> float:
        """CPU seconds of all its processes so far."""
        return sum(_cpu_s(pid) for pid in self.pids)

    def resident_mib(self) -> tuple[float, ...]:
        """Resident memory of each of its processes."""
        return tuple(_resident_mib(pid) for pid in self.pids)

    @property
    def largest(self) -> int:
        """The process with the most resident memory: of a supervisor and its worker the latter."""
        return max(self.pids, key=_resident_mib)

    def stop(self) -> None:
        """Have it do nothing at all until `go_on`."""
        signal_all(self.pids, signal.SIGSTOP)

    def go_on(self) -> None:
        """Have a stopped server go on."""
        signal_all(self.pids, signal.SIGCONT)

    def require_alive(self) -> None:
        """Tell what a dead server said last.

        Raises:
            BenchmarkError: it is dead.
        """
        for process in self._processes:
            if process.poll() is not None:
                raise BenchmarkError(f"the server ended with {process.returncode}: {self.log_tail()}")

    def log_tail(self) -> str:
        """What it said last."""
        return self._log.read_text(errors="replace")[-LOG_TAIL:]


@contextlib.contextmanager
def running(
    command: Command, log: Path, ready: Callable[[], bool], *, within_s: float
) -> Iterator[ServerProcess]:
    """Run a server; it is ended on the way out, with all its children.

    Args:
        command: how it is started.
        log: where its output goes.
        ready: whether it answers.
        within_s: how long that may take.

    Raises:
        BenchmarkError: it did not become ready.
    """
    began = time.perf_counter()
    processes: list[subprocess.Popen[bytes]] = []
    server = ServerProcess(processes, log)
    try:
        with log.open("wb") as output:
            processes.extend(_start(command, output) for _ in range(command.copies))
        while not ready():
            server.require_alive()
            if time.perf_counter() - began > within_s:
                raise BenchmarkError(f"not ready after {within_s:.0f} s: {server.log_tail()}")
            time.sleep(POLL_SECONDS)
        server.start_s = time.perf_counter() - began
        yield server
    finally:
        _end(processes)


def _start(command: Command, output: IO[bytes]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command.arguments,
            env={**os.environ, **command.environment},
            cwd=command.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches this process alone, which then ends the servers in turn
        )
    except OSError as error:
        raise BenchmarkError(f"{command.arguments[0]} cannot be run: {error}") from error


def free_port() -> int:
    """A TCP port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def descendants(pid: int) -> tuple[int, ...]:
    """A process and its children, and theirs."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[PARENT]), []).append(int(entry.name))
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return tuple(found)


def adopt_orphans() -> None:
    """Become the parent of servers' processes whose own parent ends, so that they can be ended."""
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_orphans() -> None:
    """End what is left of servers that have ended."""
    for pid in descendants(os.getpid())[1:]:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def signal_all(pids: Sequence[int], number: signal.Signals) -> None:
    """Send a signal to processes, as far as they are still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End a server as its users would, then by force whatever is left of it."""
    family = [(pid, _started(pid)) for process in processes for pid in descendants(process.pid)]
    signal_all([pid for pid, _ in family], signal.SIGCONT)  # a stopped one would not hear the next
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + END_SECONDS
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
    for pid, started in family:
        if started and _started(pid) == started:  # and not another process that got its number
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    for process in processes:
        process.wait()


def _stat(pid: int) -> list[str]:
    """What the kernel says of a process, from its state on; nothing if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _started(pid: int) -> str:
    return fields[STARTED] if (fields := _stat(pid)) else ""


def _cpu_s(pid: int) -> float:
    return sum(map(int, fields[CPU])) / TICKS if (fields := _stat(pid)) else 0.0


def _resident_mib(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)
