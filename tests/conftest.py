"""What several folders of tests share: the command line, one real run, one real published version."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# Before anything imports TensorFlow.
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

ROOT = Path(__file__).resolve().parent.parent

Keraport = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def keraport() -> Keraport:
    """Run the command line as its own process."""

    def run(
        *arguments: object, cwd: Path | None = None, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "keraport", *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder whose `runs` and `models` the session's run and version live in."""
    return tmp_path_factory.mktemp("workplace")


@pytest.fixture(scope="session")
def run_directory(keraport: Keraport, workplace: Path) -> Path:
    """One epoch of the default recipe on the real MNIST."""
    result = keraport("train", "--epochs", 1, "--out", "runs/one-epoch", "--seed", 3, cwd=workplace)
    assert result.returncode == 0, result.stderr
    return workplace / "runs" / "one-epoch"


@pytest.fixture(scope="session")
def published(keraport: Keraport, workplace: Path, run_directory: Path) -> Path:
    """Version 1 of the model `mnist`, exported from that run."""
    result = keraport("export", run_directory, "--json", cwd=workplace)
    assert result.returncode == 0, result.stdout + result.stderr
    assert json.loads(result.stdout)["manifest"]["version"] == 1
    return workplace / "models" / "mnist" / "1"
