"""What of this machine bears on a verdict: package versions, and CPU flags that change int8 results."""

import contextlib
import importlib.metadata
import os
import platform
from dataclasses import dataclass
from pathlib import Path

PACKAGES = (
    "keraport",
    "tensorflow",
    "tensorflow-cpu",
    "keras",
    "onnx",
    "tf2onnx",
    "onnxruntime",
    "ai-edge-litert",
    "numpy",
)
INTEGER_FLAGS = {"ssse3", "avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"}

CPU_NAMES = ("model name", "Hardware", "Model")  # how /proc/cpuinfo calls it, by architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What ran the models.

    Attributes:
        cpu: as its maker names it; its architecture where the system hides that.
        cores: that this process may use.
        system: operating system and architecture.
    """

    cpu: str
    cores: int
    system: str


def this_machine() -> Machine:
    """The machine that runs this process."""
    known = dict(line.split(":", 1) for line in reversed(_cpu_info()) if ":" in line)
    facts = {key.strip(): value.strip() for key, value in known.items()}
    names = [facts[name] for name in CPU_NAMES if facts.get(name)]
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return Machine(
        cpu=next(iter(names), platform.processor() or platform.machine()),
        cores=len(allowed),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
    )


def package_versions() -> dict[str, str]:
    """Name to version of what is installed of the packages that make and judge artifacts."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions


def cpu_flags() -> tuple[str, ...]:
    """The instruction sets of this CPU that integer kernels choose by; empty where the system hides them."""
    lines = [line for line in _cpu_info() if line.startswith(("flags", "Features"))]
    flags = {flag for line in lines for flag in line.split()}
    return tuple(sorted(flags & INTEGER_FLAGS))


def _cpu_info() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
