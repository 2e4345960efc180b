"""Compilers and emulators as processes: what they say when they fail, in one line."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from export.errors import KitError

LISTED = 5


def run_program(
    command: Sequence[str | Path],
    *,
    time_limit_s: float,
    allowed: tuple[int, ...] = (0,),
    prints: str = "",
    cwd: Path | None = None,
) -> tuple[int, str]:
    """Run a program to its end.

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
        done = subprocess.run(  # noqa: S603  (no shell; our own arguments)
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=time_limit_s,
            check=False,
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise KitError(f"{name} gave no result within {time_limit_s:g} s: raise --time-limit") from None
    if done.returncode not in allowed or prints not in done.stdout:
        said = " ".join((done.stderr or done.stdout).splitlines()[:LISTED])
        raise KitError(f"{name} fails on the kit's C (exit code {done.returncode}: {said[:300]})")
    return done.returncode, done.stdout
