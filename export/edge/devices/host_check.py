"""The C without a runtime on this machine: the kit's own verify, and test samples through it."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.edge.devices.programs import run_program
from export.edge.difference import Difference, compare
from export.edge.golden import Golden
from export.errors import KitError

COMPILER = "cc"
STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O2")
SOURCES = ("verify.c", "infer.c", "preprocess.c")
INPUTS, OUTPUTS = "inputs", "outputs"


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
    def differs(self) -> bool:
        """Whether a byte differs."""
        return self.golden is False or (self.test is not None and self.test.differing_bytes > 0)

    @property
    def proven(self) -> bool:
        """Whether no byte differs."""
        return self.golden is not None and self.test is not None and not self.differs


def sources_of(folder: Path) -> list[Path]:
    """What verify is built from; a model that takes no pixels has no preprocessing."""
    return [path for name in SOURCES if (path := folder / name).is_file()]


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
    program = scratch / "verify"
    command = [COMPILER, *STRICT, "-I", str(folder), *map(str, sources_of(folder)), "-o", str(program)]
    run_program(command, time_limit_s=time_limit_s)
    golden = run_verify([str(program)], time_limit_s=time_limit_s, cwd=scratch)
    found = stream(lambda *files: [str(program), *files], test, scratch, time_limit_s=time_limit_s)
    return HostFacts(golden=golden, test=compare(found, test.output, classes=test.expected is not None))


def run_verify(command: Sequence[str], *, time_limit_s: float, cwd: Path) -> bool:
    """Run a built verify on its golden vectors.

    Args:
        command: that runs it.
        time_limit_s: seconds that it may take.
        cwd: where to run it.

    Returns:
        Whether no byte differs.

    Raises:
        KitError: it fails, or does not start.
    """
    code, _ = run_program(command, time_limit_s=time_limit_s, allowed=(0, 1), prints="inference: ", cwd=cwd)
    return code == 0


def stream(
    command: Callable[[str, str], Sequence[str]], test: Golden, scratch: Path, *, time_limit_s: float
) -> NDArray[np.int8]:
    """Send samples through a built verify by files.

    Args:
        command: that runs it on a file of inputs, to write one of outputs.
        test: the samples.
        scratch: where to run it.
        time_limit_s: seconds that it may take.

    Raises:
        KitError: it fails.
    """
    (scratch / INPUTS).write_bytes(test.input.tobytes())
    outputs = scratch / OUTPUTS
    outputs.unlink(missing_ok=True)
    run_program(command(INPUTS, OUTPUTS), time_limit_s=time_limit_s, cwd=scratch)
    written = outputs.stat().st_size if outputs.is_file() else 0
    if written != test.output.nbytes:
        raise KitError(f"the device has answered {written:,} bytes where {test.output.nbytes:,} were due")
    return np.fromfile(outputs, np.int8).reshape(test.output.shape)
