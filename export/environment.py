"""What of this machine bears on a verdict: package versions, and CPU flags that change int8 results."""

import contextlib
import importlib.metadata
import platform
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


def package_versions() -> dict[str, str]:
    """Name to version of what is installed of the packages that make and judge artifacts."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions


def cpu_flags() -> tuple[str, ...]:
    """The instruction sets of this CPU that integer kernels choose by; empty where the system hides them."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ()
    flags = {flag for line in lines if line.startswith(("flags", "Features")) for flag in line.split()}
    return tuple(sorted(flags & INTEGER_FLAGS))
