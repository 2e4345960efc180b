"""The uint8 file under LiteRT.js in headless Chromium: numbers in, numbers out."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.runner import BrokenRuntimeError, RunError

BROWSER = Path(__file__).with_name("browser")
SAID = 300  # characters of what a failed browser says
LONGEST_HOME = 30  # characters; a socket's path has 107 at most
NO_MODEL = 3  # the exit code where the page works and the model does not
GRACE_S = 10.0  # for node to end its browser


def missing() -> tuple[str, ...]:
    """What is not installed of what it needs."""
    needed = {
        "chromium": _installed(),
        "node": shutil.which("node") is not None,
        f"the page's packages (npm ci && npm run build in {BROWSER})": _built(),
    }
    return tuple(name for name, there in needed.items() if not there)


def require() -> None:
    """Check that all of it is installed.

    Raises:
        BrokenRuntimeError: something is missing.
    """
    if lacking := missing():
        raise BrokenRuntimeError(
            f"the browser needs {' and '.join(lacking)}: install them, by make tools-edge browser"
        )


def answer(model: Path, samples: NDArray[np.uint8], *, time_limit_s: float) -> tuple[NDArray[np.uint8], str]:
    """Run samples one by one.

    Args:
        model: a TFLite file of one input and one output, both uint8, with a batch of 1.
        samples: as the file takes them, the first dimension counts them.
        time_limit_s: seconds that it may take.

    Returns:
        The outputs, one row a sample, and the releases of the runtime and the browser, for people.

    Raises:
        RunError: the file cannot be run.
        BrokenRuntimeError: something it needs is not installed, the browser does not start, or it takes too
            long.
    """
    require()
    with tempfile.TemporaryDirectory(prefix="keraport-", dir=_home()) as scratch:
        inputs, outputs = Path(scratch) / "inputs", Path(scratch) / "outputs"
        inputs.write_bytes(np.ascontiguousarray(samples).tobytes())
        command = ["node", str(BROWSER / "answer.mjs"), str(model.resolve()), str(inputs), str(outputs)]
        said = _run(command, Path(scratch), time_limit_s)
        numbers = np.fromfile(outputs, np.uint8).reshape(len(samples), -1)
    release = json.loads(said)
    return numbers, f"{release['runtime']} in {release['browser']}"


def _home() -> str:
    """Where temporary files go, unless Chromium's sockets would get too long a path there."""
    usual = tempfile.gettempdir()
    return usual if len(usual) <= LONGEST_HOME else "/tmp"  # noqa: S108  (a folder of its own is made in it)


def _installed() -> bool:
    """Whether one of the browsers that the page knows is."""
    known = json.loads((BROWSER / "package.json").read_text(encoding="utf-8"))["config"]["browsers"]
    return any(map(shutil.which, (*filter(None, [os.environ.get("CHROMIUM")]), *known)))


def _built() -> bool:
    return (BROWSER / "dist" / "model.js").is_file() and (BROWSER / "node_modules").is_dir()


def _run(command: list[str], scratch: Path, time_limit_s: float) -> str:
    """What a program of the page prints; its browser ends with it, and leaves nothing behind."""
    lifeline, held = os.pipe()  # which closes with this process, however that ends
    homes = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"), str(scratch))
    environment = {**os.environ, **homes, "LIFELINE": str(lifeline)}
    with subprocess.Popen(  # noqa: S603  (no shell; our own arguments)
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=environment,
        pass_fds=(lifeline,),
    ) as process:
        os.close(lifeline)
        try:
            said, complaint = process.communicate(timeout=time_limit_s)
        except subprocess.TimeoutExpired:
            raise BrokenRuntimeError(
                f"the browser gave no answer within {time_limit_s:g} s: raise --time-limit"
            ) from None
        finally:
            _end(process)
            os.close(held)
    why = complaint.strip()[-SAID:] or "it says nothing"
    if process.returncode == NO_MODEL:
        raise RunError(f"the browser cannot run it: {why}")
    if process.returncode:
        raise BrokenRuntimeError(f"the browser does not work ({why}): try keraport doctor")
    return said


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()  # upon which node closes its browser
        try:
            process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
