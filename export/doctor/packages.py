"""Which extras are installed, in versions that keraport knows, and whether their packages can be imported."""

import importlib.metadata
import json
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from export.doctor.finding import Finding, State

ON_LINUX_X86 = (sys.platform, platform.machine()) == ("linux", "x86_64")
# Every extra's packages: distribution to the module that proves that it works.
EXTRAS: Mapping[str, Mapping[str, str]] = {
    "train": {
        "tensorflow": "tensorflow",
        "keras": "keras",
        "matplotlib": "matplotlib",
        "pillow": "PIL.Image",
    },
    "export": {
        "ai-edge-litert": "ai_edge_litert.interpreter",
        "onnx": "onnx",
        "onnxruntime": "onnxruntime",
        "tf2onnx": "tf2onnx",
    },
    "edge": {
        "bakenn": "bakenn",
        # Its package exists for one platform alone.
        **({"tflite-micro": "tflite_micro"} if ON_LINUX_X86 else {}),
    },
    "serve": {
        "grpcio": "grpc",
        "grpcio-health-checking": "grpc_health.v1.health",
        "grpcio-reflection": "grpc_reflection.v1alpha.reflection",
        "onnxruntime": "onnxruntime",
        "prometheus-client": "prometheus_client",
        "protobuf": "google.protobuf.message",
    },
    "client": {"grpcio": "grpc", "pillow": "PIL.Image", "protobuf": "google.protobuf.message"},
    "http": {"starlette": "starlette.applications", "uvicorn": "uvicorn"},
    "otel": {
        "opentelemetry-exporter-otlp-proto-http": "opentelemetry.exporter.otlp.proto.http.trace_exporter",
        "opentelemetry-sdk": "opentelemetry.sdk.trace.export",
    },
}
BASES = {"export": ("train",), "edge": ("export",), "otel": ("serve",)}  # extras that an extra brings along
ALTERNATIVES = {"tensorflow": ("tensorflow-cpu", "tensorflow")}
AT_ONCE = 2
TIME_LIMIT_S = 180.0
OPERATORS = re.compile(r"(>=|<=|==|!=|<|>)\s*([0-9][0-9.]*)")
# In a child, for what breaks in native code takes its process along. Lines go to a file: packages print.
IMPORTER = """
import importlib, json, sys
with open(sys.argv[1], "a", encoding="utf-8") as out:
    for module in sys.argv[2:]:
        print(json.dumps([module, None]), file=out, flush=True)
        try:
            importlib.import_module(module)
            error = ""
        except BaseException as caught:
            error = f"{type(caught).__name__}: {caught}".splitlines()[0][:300]
        print(json.dumps([module, error]), file=out, flush=True)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Installed:
    """One package that an extra needs: its distribution and version as installed, None if it is not."""

    distribution: str
    module: str
    version: str | None


def examine_packages() -> list[Finding]:
    """One finding an extra; extras are imported side by side, each in processes of its own."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(_examine_extra, EXTRAS))


def installed_extras() -> set[str]:
    """The extras of which everything is installed, and everything of those that they bring along."""
    complete = {
        extra
        for extra, packages in EXTRAS.items()
        if all(_find(*package).version is not None for package in packages.items())
    }
    return {extra for extra in complete if complete.issuperset(BASES.get(extra, ()))}


def _examine_extra(extra: str) -> Finding:
    begin = time.monotonic()
    check, install = f"extra {extra}", f"pip install 'keraport[{extra}]'"
    packages = [_find(distribution, module) for distribution, module in EXTRAS[extra].items()]
    present = [package for package in packages if package.version is not None]
    faults = {package.distribution: fault for package in present if (fault := _wrong_version(package))}
    errors = import_modules([package.module for package in present])
    faults |= {package.distribution: error for package in present if (error := errors[package.module])}
    if faults:
        detail = "; ".join(f"{name}: {fault}" for name, fault in faults.items())
        mend = (
            f"pip install --upgrade --force-reinstall {' '.join(faults)}, or {install} in a fresh environment"
        )
        return Finding(
            check=check, state=State.BROKEN, detail=detail, mend=mend, seconds=time.monotonic() - begin
        )
    if missing := [package.distribution for package in packages if package.version is None]:
        return Finding(check=check, state=State.MISSING, detail=f"lacks {', '.join(missing)}", mend=install)
    detail = ", ".join(f"{package.distribution} {package.version}" for package in present)
    return Finding(check=check, state=State.OK, detail=detail, seconds=time.monotonic() - begin)


def _find(distribution: str, module: str) -> _Installed:
    for name in ALTERNATIVES.get(distribution, (distribution,)):
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        return _Installed(distribution=name, module=module, version=version)
    return _Installed(distribution=distribution, module=module, version=None)


def _wrong_version(package: _Installed) -> str | None:
    """Why the installed version is none that keraport is made for."""
    try:
        requirements = importlib.metadata.requires("keraport") or []
    except importlib.metadata.PackageNotFoundError:  # a checkout that was never installed
        return None
    for requirement in requirements:
        wanted = requirement.partition(";")[0]
        name = re.match(r"[A-Za-z0-9._-]+", wanted)
        if name is None or name[0].lower() != package.distribution or package.version is None:
            continue
        if not allows(wanted[name.end() :], package.version):
            return f"version {package.version}, keraport needs {wanted[name.end() :].strip()}"
    return None


def allows(specifier: str, version: str) -> bool:
    """Whether a version, of which the numbers of its release count, meets the clauses of a requirement."""
    have = _numbers(version)
    holds = {
        ">=": lambda other: have >= other,
        "<=": lambda other: have <= other,
        "==": lambda other: have == other,
        "!=": lambda other: have != other,
        "<": lambda other: have < other,
        ">": lambda other: have > other,
    }
    return all(holds[operator](_numbers(number)) for operator, number in OPERATORS.findall(specifier))


def _numbers(version: str) -> tuple[int, ...]:
    release = re.match(r"[0-9]+(\.[0-9]+)*", version)
    numbers = [int(part) for part in release[0].split(".")] if release else [0]
    return tuple([*numbers, 0, 0, 0, 0][:4])


def import_modules(modules: Sequence[str], *, time_limit_s: float = TIME_LIMIT_S) -> dict[str, str]:
    """Import modules in turn in a child process, in the next one after a crash.

    Args:
        modules: their names.
        time_limit_s: for all of them.

    Returns:
        Each one's error in a line, empty if it has none.
    """
    errors: dict[str, str] = {}
    deadline = time.monotonic() + time_limit_s
    while waiting := [module for module in modules if module not in errors]:
        with tempfile.NamedTemporaryFile("r", encoding="utf-8", suffix=".jsonl") as answers:
            cause = _run_importer(Path(answers.name), waiting, deadline - time.monotonic())
            lines = [json.loads(line) for line in answers if line.endswith("\n")]
        begun = lines[-1][0] if lines else waiting[0]
        errors |= {module: error for module, error in lines if error is not None}
        errors.setdefault(begun, cause)
    return errors


def _run_importer(answers: Path, modules: Sequence[str], time_limit_s: float) -> str:
    """Run the child; why it ended if it did not get through."""
    command = [sys.executable, "-P", "-c", IMPORTER, str(answers), *modules]
    try:
        code = subprocess.run(  # noqa: S603  (this interpreter, a fixed program)
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=max(0.1, time_limit_s),
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        return "its import does not end"
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return f"its import ends the process ({name})"
