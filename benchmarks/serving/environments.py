"""The peers' own environments: made once from the pinned lists in `requirements/`, apart from ours."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.serving.errors import BenchmarkError

HERE = Path(__file__).resolve().parent
STAMP = "installed"


def python_of(environment: str | None) -> str:
    """The interpreter of an environment; this process's own if None."""
    return sys.executable if environment is None else str(_folder(environment) / "bin" / "python")


def install(environment: str) -> None:
    """Make an environment, unless it is what its list says already.

    Raises:
        BenchmarkError: pip could not.
    """
    folder, requirements = _folder(environment), HERE / "requirements" / f"{environment}.txt"
    stamp, digest = folder / STAMP, hashlib.sha256(requirements.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    shutil.rmtree(folder, ignore_errors=True)
    _run(sys.executable, "-m", "venv", str(folder))
    pip = [python_of(environment), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run(*pip, "--requirement", str(requirements))
    stamp.write_text(digest)


def versions(environment: str | None, packages: tuple[str, ...]) -> dict[str, str]:
    """What is installed of some packages."""
    script = (
        "import importlib.metadata as m, json, sys\n"
        "print(json.dumps({d: m.version(d) for d in sys.argv[1:]}))"
    )
    return dict(json.loads(_run(python_of(environment), "-c", script, *packages)))


def _folder(environment: str) -> Path:
    return HERE / "environments" / environment


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{' '.join(command[:4])} … failed: {done.stderr.strip()[-800:]}")
    return done.stdout
