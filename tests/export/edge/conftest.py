"""One kit of the session's version, for all tests that only look at it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Compile = Callable[..., subprocess.CompletedProcess[str]]

STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror")


@pytest.fixture(scope="session")
def made_kit(keraport, published, tmp_path_factory) -> tuple[Path, dict]:
    """The kit's folder and what the command said of it as JSON."""
    out = tmp_path_factory.mktemp("edge") / "kit"
    result = keraport("edge", published, "--out", out, "--json", cwd=published.parents[2])
    assert result.returncode == 0, result.stderr
    return out, json.loads(result.stdout)


@pytest.fixture(scope="session")
def kit(made_kit) -> Path:
    return made_kit[0]


@pytest.fixture
def run_c(tmp_path) -> Compile:
    """Compile a program strictly with the machine's compiler, and run it."""

    def run(source: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        (tmp_path / "program.c").write_text(source)
        program = tmp_path / "program"
        command = ["cc", *STRICT, tmp_path / "program.c", *map(str, arguments), "-o", program]
        subprocess.run(command, check=True)
        return subprocess.run([program], capture_output=True, text=True, check=False)

    return run
