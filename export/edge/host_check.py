"""The C without a runtime on this machine: the kit's own verify, and test samples through it."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.edge.difference import Difference, compare
from export.edge.golden import Golden
from export.errors import KitError

COMPILER = "cc"
STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O2")
PREPROCESS = "preprocess.c"
LISTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What this machine made of the C.

    Attributes:
        golden: whether the kit's verify found no differing byte; None if there is no compiler here.
        test: the first test samples.
    """

    golden: bool | None = None
    test: Difference | None = None

    @property
    def proven(self) -> bool:
        """Whether no byte differs."""
        return bool(self.golden) and self.test is not None and not self.test.differing_bytes


def check_on_host(folder: Path, test: Golden, scratch: Path, *, time_limit_s: float) -> HostFacts:
    """Build a kit's verify strictly, run it, and send it the test samples.

    Args:
        folder: of the kit, with its C.
        test: samples and the reference kernels' answers.
        scratch: where to build.
        time_limit_s: seconds that a run may take.

    Raises:
        KitError: the compiler refuses the C, or the program fails.
    """
    if shutil.which(COMPILER) is None:
        return HostFacts()
    sources = [path for name in ("verify.c", "infer.c", PREPROCESS) if (path := folder / name).is_file()]
    program = scratch / "verify"
    _run([COMPILER, *STRICT, "-I", str(folder), *map(str, sources), "-o", str(program)], time_limit_s)
    golden = _run([str(program)], time_limit_s, allowed=(0, 1))
    given, answered = scratch / "inputs", scratch / "outputs"
    given.write_bytes(test.input.tobytes())
    _run([str(program), str(given), str(answered)], time_limit_s)
    found = np.fromfile(answered, np.int8).reshape(test.output.shape)
    return HostFacts(golden=golden == 0, test=compare(found, test.output, classes=test.expected is not None))


def _run(command: Sequence[str], time_limit_s: float, *, allowed: tuple[int, ...] = (0,)) -> int:
    try:
        done = subprocess.run(  # noqa: S603  (no shell; our own arguments)
            command, capture_output=True, text=True, errors="replace", timeout=time_limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise KitError(f"{command[0]} gave no result within {time_limit_s:g} s: raise --time-limit") from None
    if done.returncode not in allowed:
        said = " ".join((done.stderr or done.stdout).split("\n")[:LISTED])
        raise KitError(
            f"{command[0]} fails on the kit's C ({said[:300]}): use another compiler, by CC or PATH"
        )
    return done.returncode
