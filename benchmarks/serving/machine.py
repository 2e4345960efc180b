"""Where the figures come from."""

import os
import platform
from collections.abc import Mapping
from pathlib import Path

from benchmarks.serving.environments import versions
from benchmarks.serving.servers import SERVERS


def describe() -> Mapping[str, str]:
    """The machine, as far as speed depends on it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": model,
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": f"{os.getloadavg()[0]:.1f} processes ran or waited in the minute before",
    }


def package_versions(servers: tuple[str, ...]) -> Mapping[str, Mapping[str, str]]:
    """What each server is made of."""
    return {name: versions(SERVERS[name].environment, SERVERS[name].packages) for name in servers}
