"""TensorFlow Lite Micro's kernels on the golden vectors: the arena that they need, the bytes that differ."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.edge.golden import Golden
from export.edge.subject import Subject
from export.errors import WorkerError, first_line
from export.exchange import read_arrays, write_arrays
from export.isolation import Workers

STEP = 16  # bytes, the arena's alignment
MARGIN = 1024  # bytes that another release of the runtime may need beyond
FIRST, LARGEST = 1 << 14, 1 << 28


@dataclass(frozen=True, slots=True, kw_only=True)
class TflmOrder:
    """What to run.

    Attributes:
        path: of the int8 file.
        vectors: where `input` and `output` are, as `write_arrays` left them.
    """

    path: Path
    vectors: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class TflmFacts:
    """What TensorFlow Lite Micro's kernels make of the int8 file.

    Attributes:
        arena_minimum: the smallest arena, in steps of 16 bytes, in which it starts; None if it cannot be run.
        arena_bytes: with the margin.
        differing_bytes: of the answers to all vectors, under the smallest arena.
        compared_bytes: of these.
        release: of the runtime.
        reason: why it cannot be run, in one line; empty if it can.
    """

    arena_minimum: int | None = None
    arena_bytes: int = 0
    differing_bytes: int = 0
    compared_bytes: int = 0
    release: str = ""
    reason: str = ""


def check_tflm(subject: Subject, golden: Golden, scratch: Path, *, time_limit_s: float) -> TflmFacts:
    """Run the golden vectors through TensorFlow Lite Micro, in a process of its own, which may crash.

    Args:
        subject: the model.
        golden: its vectors.
        scratch: a folder for what the process is handed.
        time_limit_s: seconds that it may take.

    Raises:
        ModuleNotFoundError: tflite-micro is not installed.
    """
    vectors = write_arrays(scratch / "vectors", {"input": golden.input, "output": golden.output})
    with Workers(scratch, time_limit_s=time_limit_s) as workers:
        try:
            return workers.call(run_tflm, TflmOrder(path=subject.path, vectors=vectors))
        except WorkerError as error:
            return TflmFacts(reason=f"TensorFlow Lite Micro cannot run it: {error}")


def run_tflm(order: TflmOrder) -> TflmFacts:
    """Find the smallest arena and run the vectors in it."""
    from tflite_micro import __version__, runtime

    content = order.path.read_bytes()

    def starts(size: int) -> bool:
        try:
            runtime.Interpreter.from_bytes(content, arena_size=size)
        except RuntimeError:
            return False
        return True

    minimum = smallest(starts)
    if minimum is None:
        return TflmFacts(reason="TensorFlow Lite Micro lacks an operator of it, or a version of one")
    interpreter = runtime.Interpreter.from_bytes(content, arena_size=minimum)
    arrays = read_arrays(order.vectors)
    differing = 0
    for numbers, expected in zip(arrays["input"], arrays["output"], strict=True):
        try:
            interpreter.set_input(numbers[np.newaxis], 0)
            interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            return TflmFacts(reason=f"TensorFlow Lite Micro cannot run it: {first_line(error)}")
        differing += int((interpreter.get_output(0).ravel() != expected.ravel()).sum())
    return TflmFacts(
        arena_minimum=minimum,
        arena_bytes=-(-(minimum + MARGIN) // STEP) * STEP,
        differing_bytes=differing,
        compared_bytes=arrays["output"].size,
        release=__version__,
    )


def smallest(starts: Callable[[int], bool]) -> int | None:
    """The smallest size, in steps of 16, that is enough; None if none is.

    Args:
        starts: whether a size is enough; every larger one then is.
    """
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
