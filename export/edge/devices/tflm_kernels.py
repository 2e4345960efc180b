"""TensorFlow Lite Micro's kernels, as Python's package has them: the arena they need, what they answer."""

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.edge.reference_kernels import Bytes
from export.errors import TimeLimitError, WorkerError, first_line
from export.exchange import read_arrays, write_arrays
from export.isolation import Workers
from export.runner import BrokenRuntimeError, RunError

CANNOT = "TensorFlow Lite Micro cannot run it"
LACKS = "TensorFlow Lite Micro lacks an operator of it, or a version of one"
MISSING = "tflite-micro is not installed here: pip install tflite-micro"
STEP = 16  # bytes, the arena's alignment
FIRST, LARGEST = 1 << 14, 1 << 28


def smallest_arena(content: bytes) -> int | None:
    """The smallest arena, in steps of 16 bytes, in which a TFLite file starts.

    Returns:
        None if it starts in none: an operator, or a version of one, is lacking.

    Raises:
        ModuleNotFoundError: the package, which exists for some platforms alone, is not installed.
    """
    from tflite_micro import runtime

    def starts(size: int) -> bool:
        child = os.fork()  # in a little less than it needs, the runtime may crash
        if child == 0:
            try:
                runtime.Interpreter.from_bytes(content, arena_size=size)
            except RuntimeError:
                os._exit(1)
            os._exit(0)
        return os.waitpid(child, 0)[1] == 0

    return _smallest(starts)


def _smallest(starts: Callable[[int], bool]) -> int | None:
    """The smallest size that is enough, if every larger one then is; None if none is."""
    enough = FIRST
    while not starts(enough):
        enough *= 2
        if enough > LARGEST:
            return None
    short = 0
    while enough - short > STEP:
        middle = (short + enough) // 2 // STEP * STEP
        if starts(middle):
            enough = middle
        else:
            short = middle
    return enough


def run_samples(content: bytes, arena_bytes: int, numbers: NDArray[np.int8]) -> NDArray[np.int8]:
    """Run samples one by one.

    Args:
        content: of an int8 file of one input and one output.
        arena_bytes: in which it starts.
        numbers: the samples as the file takes them.

    Raises:
        RuntimeError: it cannot run them.
        ValueError: they are not of its shape.
    """
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(content, arena_size=arena_bytes)
    answers = []
    for sample in numbers:
        interpreter.set_input(sample[np.newaxis], 0)
        interpreter.invoke()
        answers.append(interpreter.get_output(0)[0])
    return np.array(answers, np.int8)


@dataclass(frozen=True, slots=True, kw_only=True)
class TflmOrder:
    """What to run.

    Attributes:
        path: of the int8 file.
        samples: as it takes them, by `write_arrays`.
        answers: where they go, likewise and by the same names.
    """

    path: Path
    samples: Path
    answers: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class TflmRun:
    """How a run went.

    Attributes:
        arena_minimum: the smallest arena in which the file starts, and ran; None if it starts in none.
        release: of the package.
        failure: why it cannot be run; empty if it could.
    """

    arena_minimum: int | None
    release: str
    failure: str = ""


def run_tflm(order: TflmOrder) -> TflmRun:
    """Run all samples in the smallest arena."""
    from tflite_micro import __version__

    content = order.path.read_bytes()
    arena = smallest_arena(content)
    if arena is None:
        return TflmRun(arena_minimum=None, release=__version__, failure=LACKS)
    samples = read_arrays(order.samples)
    try:
        answers = {name: run_samples(content, arena, numbers) for name, numbers in samples.items()}
    except (RuntimeError, ValueError) as error:
        return TflmRun(arena_minimum=arena, release=__version__, failure=f"{CANNOT}: {first_line(error)}")
    write_arrays(order.answers, answers)
    return TflmRun(arena_minimum=arena, release=__version__)


def ask_tflm(
    path: Path, samples: Mapping[str, Bytes], scratch: Path, *, time_limit_s: float
) -> tuple[dict[str, Bytes], TflmRun]:
    """Run sets of samples, in a process that may crash.

    Args:
        path: of the int8 file.
        samples: as it takes them.
        scratch: a folder for what the process is handed.
        time_limit_s: seconds that it may take.

    Returns:
        The answers by the names of the samples, and how the run went.

    Raises:
        RunError: it cannot run them.
        BrokenRuntimeError: it is not installed, or takes too long.
    """
    folder = Path(tempfile.mkdtemp(dir=scratch))
    order = TflmOrder(
        path=path.resolve(), samples=write_arrays(folder / "samples", samples), answers=folder / "answers"
    )
    with Workers(folder, time_limit_s=time_limit_s) as workers:
        try:
            run = workers.call(run_tflm, order)
        except ModuleNotFoundError:  # its package exists for some platforms alone
            raise BrokenRuntimeError(MISSING) from None
        except TimeLimitError as error:
            raise BrokenRuntimeError(f"{CANNOT}: {error}") from error
        except WorkerError as error:
            raise RunError(f"{CANNOT}: {error}") from error
    if run.failure:
        raise RunError(run.failure)
    return {name: np.asarray(array) for name, array in read_arrays(order.answers).items()}, run
