"""What keraport's commands take as whole processes."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping

from benchmarks.serving.errors import BenchmarkError
from benchmarks.serving.models import ROOT

HELP = ("--help",)
SAMPLE = ROOT / "data" / "samples"


def seconds_of(*arguments: str) -> float:
    """Wall seconds of a command from its start to its exit.

    Raises:
        BenchmarkError: it failed.
    """
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "keraport", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    took = time.perf_counter() - began
    if done.returncode:
        raise BenchmarkError(f"keraport {arguments[0]} failed: {done.stderr.strip()[-300:]}")
    return took


def measure(port: int, rounds: int) -> Mapping[str, tuple[float, ...]]:
    """Seconds of `keraport --help` and of `keraport predict` of one picture, in turn.

    Args:
        port: of a keraport server of the default model.
        rounds: of both.
    """
    picture = str(min(SAMPLE.glob("*.png")))
    commands: Mapping[str, tuple[str, ...]] = {
        "keraport --help": HELP,
        "keraport predict": ("predict", picture, "--url", f"127.0.0.1:{port}"),
    }
    for command in commands.values():
        seconds_of(*command)  # compiles what Python compiles once, and fills the disk's cache
    took: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            took[name].append(seconds_of(*command))
    return {name: tuple(values) for name, values in took.items()}
