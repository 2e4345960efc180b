"""TensorFlow Lite Micro's kernels on the golden vectors: the arena that they need, the bytes that differ."""

from dataclasses import dataclass
from pathlib import Path

from export.edge.devices.tflm_kernels import STEP, release, run_samples, smallest_arena
from export.edge.difference import Difference, compare
from export.edge.golden import Golden
from export.edge.subject import Subject
from export.errors import WorkerError, first_line
from export.exchange import read_arrays, write_arrays
from export.isolation import Workers

MARGIN = 1024  # bytes that another release of the runtime may need beyond
LACKS = "TensorFlow Lite Micro lacks an operator of it, or a version of one"
MISSING = "tflite-micro is not installed here: pip install tflite-micro"


@dataclass(frozen=True, slots=True, kw_only=True)
class TflmOrder:
    """What to run.

    Attributes:
        path: of the int8 file.
        vectors: where `golden/input`, `golden/output`, `test/input`, `test/output` are, by `write_arrays`.
        classes: whether the outputs score classes.
    """

    path: Path
    vectors: Path
    classes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TflmFacts:
    """What TensorFlow Lite Micro's kernels make of the int8 file.

    Attributes:
        arena_minimum: the smallest arena, in steps of 16 bytes, in which it starts; None if it cannot be run.
        arena_bytes: with the margin.
        golden: the golden vectors, in the smallest arena.
        test: the first test samples.
        release: of the runtime.
        reason: why it cannot be run, in one line; empty if it can.
    """

    arena_minimum: int | None = None
    arena_bytes: int = 0
    golden: Difference | None = None
    test: Difference | None = None
    release: str = ""
    reason: str = ""

    @property
    def differs(self) -> bool:
        """Whether a byte differs."""
        return any(part is not None and part.differing_bytes > 0 for part in (self.golden, self.test))

    @property
    def proven(self) -> bool:
        """Whether no byte differs."""
        return all(part is not None and not part.differing_bytes for part in (self.golden, self.test))


def check_tflm(
    subject: Subject, golden: Golden, test: Golden, scratch: Path, *, time_limit_s: float
) -> TflmFacts:
    """Run golden vectors and test samples through TensorFlow Lite Micro, in a process that may crash.

    Args:
        subject: the model.
        golden: its vectors.
        test: test samples.
        scratch: a folder for what the process is handed.
        time_limit_s: seconds that it may take.
    """
    parts = {"golden": golden, "test": test}
    arrays = {f"{name}/input": part.input for name, part in parts.items()}
    arrays |= {f"{name}/output": part.output for name, part in parts.items()}
    vectors = write_arrays(scratch / "vectors", arrays)
    order = TflmOrder(path=subject.path, vectors=vectors, classes=subject.classes is not None)
    with Workers(scratch, time_limit_s=time_limit_s) as workers:
        try:
            return workers.call(run_tflm, order)
        except ModuleNotFoundError:  # its package exists for some platforms alone
            return TflmFacts(reason=MISSING)
        except WorkerError as error:
            return TflmFacts(reason=f"TensorFlow Lite Micro cannot run it: {error}")


def run_tflm(order: TflmOrder) -> TflmFacts:
    """Find the smallest arena and run the vectors in it."""
    content = order.path.read_bytes()
    minimum = smallest_arena(content)
    if minimum is None:
        return TflmFacts(reason=LACKS)
    differences = []
    for part in ("golden", "test"):
        arrays = read_arrays(order.vectors, part)
        try:
            found = run_samples(content, minimum, arrays["input"])
        except (RuntimeError, ValueError) as error:
            return TflmFacts(reason=f"TensorFlow Lite Micro cannot run it: {first_line(error)}")
        differences.append(compare(found, arrays["output"], classes=order.classes))
    return TflmFacts(
        arena_minimum=minimum,
        arena_bytes=-(-(minimum + MARGIN) // STEP) * STEP,
        golden=differences[0],
        test=differences[1],
        release=release(),
    )
