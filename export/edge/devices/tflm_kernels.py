"""TensorFlow Lite Micro's kernels, as Python's package has them: the arena they need, what they answer."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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


def release() -> str:
    """Of the package."""
    from tflite_micro import __version__

    return str(__version__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOrder:
    """What to run.

    Attributes:
        path: of the int8 file.
        samples: as it takes them, an .npy file.
        answers: where they go, as another.
    """

    path: Path
    samples: Path
    answers: Path


def run_file(order: FileOrder) -> str:
    """Run all samples.

    Returns:
        The package's release; empty if the model does not start in it.
    """
    content, samples = order.path.read_bytes(), np.load(order.samples, allow_pickle=False)
    arena = smallest_arena(content)
    if arena is None:
        return ""
    np.save(order.answers, run_samples(content, arena, samples), allow_pickle=False)
    return release()
