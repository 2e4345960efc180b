"""Compilers and emulators as processes: what they say when they fail, in one line."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from export.errors import KitError

LISTED = 5
PR_SET_PDEATHSIG = 1


def run_program(
    command: Sequence[str | Path],
    *,
    time_limit_s: float,
    allowed: tuple[int, ...] = (0,),
    prints: str = "",
    cwd: Path | None = None,
) -> tuple[int, str]:
    """Run a program to its end; it, and what it has started, ends with this process too.

    Args:
        command: its path and arguments.
        time_limit_s: seconds that it may take.
        allowed: exit codes that are no failure.
        prints: what it prints if it has run at all, whatever the exit code.
        cwd: where to run it.

    Returns:
        The exit code, and what it printed.

    Raises:
        KitError: it failed, or took too long.
    """
    name = Path(command[0]).name
    try:
        printed, complaint, code = _run(command, cwd, time_limit_s)
    except subprocess.TimeoutExpired:
        raise KitError(f"{name} gave no result within {time_limit_s:g} s: raise --time-limit") from None
    except OSError as error:
        raise KitError(
            f"{command[0]} cannot be run ({error.strerror}): are programs allowed there?"
        ) from error
    if code not in allowed or prints not in printed:
        said = " ".join((complaint or printed).splitlines()[:LISTED])
        raise KitError(f"{name} fails on the kit's C (exit code {code}: {said[:300]})")
    return code, printed


def _run(command: Sequence[str | Path], cwd: Path | None, time_limit_s: float) -> tuple[str, str, int]:
    """What it prints, what it complains of, and its exit code."""
    with subprocess.Popen(  # noqa: S603  (no shell; our own arguments)
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        cwd=cwd,
        env={**os.environ, "LC_ALL": "C"},
        start_new_session=True,
        preexec_fn=_end_with_parent,  # noqa: PLW1509  (it takes no lock)
    ) as process:
        try:
            printed, complaint = process.communicate(timeout=time_limit_s)
        finally:
            with contextlib.suppress(ProcessLookupError):  # it has ended, and all of its session
                os.killpg(process.pid, signal.SIGKILL)
    return printed, complaint, process.returncode


def _end_with_parent() -> None:
    """Let the kernel end this process when the one that started it is killed; Linux alone can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
