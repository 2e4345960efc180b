"""TensorFlow Lite Micro's kernels on the golden vectors: the arena that they need, the bytes that differ."""

from dataclasses import dataclass
from pathlib import Path

from export.edge.devices.tflm_kernels import STEP, ask_tflm
from export.edge.difference import Difference, compare
from export.edge.golden import Golden
from export.edge.subject import Subject
from export.runner import BrokenRuntimeError, RunError

MARGIN = 1024  # bytes that another release of the runtime may need beyond


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
    """Run golden vectors and test samples through TensorFlow Lite Micro.

    Args:
        subject: the model.
        golden: its vectors.
        test: test samples.
        scratch: a folder for what its process is handed.
        time_limit_s: seconds that it may take.
    """
    samples = {"golden": golden.input, "test": test.input}
    try:
        answers, run = ask_tflm(subject.path, samples, scratch, time_limit_s=time_limit_s)
    except (RunError, BrokenRuntimeError) as error:
        return TflmFacts(reason=str(error))
    assert run.arena_minimum is not None  # noqa: S101  (it has run)
    classes = subject.classes is not None
    return TflmFacts(
        arena_minimum=run.arena_minimum,
        arena_bytes=-(-(run.arena_minimum + MARGIN) // STEP) * STEP,
        golden=compare(answers["golden"], golden.output, classes=classes),
        test=compare(answers["test"], test.output, classes=classes),
        release=run.release,
    )
