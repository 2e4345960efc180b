"""The code of infer.c: what BakeNN generates of every stretch, our own kernels, and their calls in turn."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from export.edge.infer_text import ONCE
from export.edge.own_steps import OwnStep
from export.edge.stretches import Stretch

SYMBOL = "model"
# In the order in which one file needs them: declarations, then what is declared.
PARTS = (".h", "_kernels.h", "_weights.h", "_weights.c", "_kernels.c", ".c")
ALIGNMENT = 16
REQUANTIZE = re.compile(r"bknn_\w*_q31_requantize\(")
OWN_INCLUDE = re.compile(r'^#include "bknn_[^"]*"\n', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class InferCode:
    """What infer.c is made of.

    Attributes:
        own: functions that are not the generator's.
        generated: its files, one after the other.
        calls: the statements of an inference.
        arena_bytes: of working memory, with what goes from one step to the next.
        constant_bytes: weights, biases and multipliers.
    """

    own: str
    generated: str
    calls: tuple[str, ...]
    arena_bytes: int
    constant_bytes: int


def generate(steps: Sequence[Stretch | OwnStep]) -> InferCode:
    """Generate every stretch, and call them one after the other.

    Raises:
        BakeNNError: a stretch cannot be generated.
    """
    import bakenn

    sources: list[str] = []
    arenas: dict[int, int] = {}
    constants = 0
    with tempfile.TemporaryDirectory() as scratch:
        for place, step in enumerate(steps):
            if isinstance(step, Stretch):
                made = bakenn.compile_tflite(step.content, scratch, name=_name(steps, place))
                files = [Path(scratch) / f"bknn_{_name(steps, place)}{part}" for part in PARTS]
                joined = "\n".join(OWN_INCLUDE.sub("", file.read_text(encoding="utf-8")) for file in files)
                sources += _rounding_once(joined)
                arenas[place] = made.memory_report.arena_bytes
                constants += made.memory_report.emitted_constant_payload_bytes
    end = _aligned(max(arenas.values(), default=0))
    calls, given = [], "input"
    for place, step in enumerate(steps):
        taken = "output"
        if place < len(steps) - 1:
            taken, end = f"(int8_t *)(arena + {end})", end + _aligned(step.output_bytes)
        calls.append(f"    {_call(step, _name(steps, place), arenas.get(place), given, taken)}")
        given = taken
    if not end:  # a model that needs no working memory: its caller need not know
        calls.insert(0, "    (void)arena;")
    kernels = {kernel for step in steps if not isinstance(step, Stretch) for kernel in step.kernels}
    if any("model_round_once(" in source for source in sources):
        kernels.add(ONCE)
    return InferCode(
        own="\n".join(sorted(kernels)),
        generated="".join(sources),
        calls=tuple(calls),
        arena_bytes=end or ALIGNMENT,  # C has no arrays of no bytes
        constant_bytes=constants,
    )


def _name(steps: Sequence[Stretch | OwnStep], place: int) -> str:
    return SYMBOL if len(steps) == 1 else f"{SYMBOL}_{place}"


def _call(step: Stretch | OwnStep, name: str, arena_bytes: int | None, given: str, taken: str) -> str:
    if not isinstance(step, Stretch):
        return step.call(given, taken)
    arena = "arena" if arena_bytes else "NULL"  # the generator's own contract
    return f"bknn_{name}_infer({arena}, {given}, {taken});"


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _rounding_once(source: str) -> Iterator[str]:
    """The generated source, its functions of dense layers with the other rounding."""
    for part in re.split(r"(?m)^(?=[a-z])", source):
        name = part[: part.find("(")]
        yield REQUANTIZE.sub("model_round_once(", part) if "linear" in name else part
