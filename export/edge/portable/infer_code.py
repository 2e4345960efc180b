"""The code of infer.c: what BakeNN generates of every stretch, our own kernels, and their calls in turn."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.edge.portable.buffers import ALIGNMENT, StepBuffers, place_buffers
from export.edge.portable.infer_text import ONCE
from export.edge.portable.own_steps import OwnStep
from export.edge.portable.stretches import Stretch
from export.errors import first_line

SYMBOL = "model"
# In the order in which one file needs them: declarations, then what is declared.
PARTS = (".h", "_kernels.h", "_weights.h", "_weights.c", "_kernels.c", ".c")
REQUANTIZE = re.compile(r"bknn_\w*_q31_requantize\(")
OPERATOR = re.compile(r"subgraph\[0\]/operator\[([0-9]+)\]")
OWN_INCLUDE = re.compile(r'^#include "bknn_[^"]*"\n', re.MULTILINE)


class GeneratorError(Exception):
    """The generator does not take what it is given."""


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
        GeneratorError: a stretch cannot be generated.
    """
    sources: list[str] = []
    arenas = [0] * len(steps)
    constants = 0
    kernels: set[str] = set()
    for place, step in enumerate(steps):
        name = _name(steps, place)
        if isinstance(step, OwnStep):
            kernels.add(step.kernel)
            sources.append(step.constants(name))
            constants += len(step.table)
        else:
            source, report = _generated(step, name)
            sources += _rounding_once(source)
            arenas[place] = report.arena_bytes
            constants += report.emitted_constant_payload_bytes
    if any("model_round_once(" in source for source in sources):
        kernels.add(ONCE)
    buffers = place_buffers(steps, arenas)
    calls = [
        f"    {_call(step, _name(steps, place), bool(arenas[place]), buffers.steps[place])}"
        for place, step in enumerate(steps)
    ]
    if not buffers.bytes:  # a model that needs no working memory: its caller need not know
        calls.insert(0, "    (void)arena;")
    return InferCode(
        own="\n".join(sorted(kernels)),
        generated="".join(sources),
        calls=tuple(calls),
        arena_bytes=buffers.bytes or ALIGNMENT,  # C has no arrays of no bytes
        constant_bytes=constants,
    )


def _generated(stretch: Stretch, name: str) -> tuple[str, Any]:
    """The generator's files in one, and its report of the memory that they take."""
    import bakenn

    with tempfile.TemporaryDirectory() as scratch:
        try:
            made = bakenn.compile_tflite(stretch.content, scratch, name=name)
        except bakenn.BakeNNError as error:
            raise GeneratorError(_named(first_line(error), stretch.kinds)) from error
        files = [Path(scratch) / f"bknn_{name}{part}" for part in PARTS]
        texts = [OWN_INCLUDE.sub("", file.read_text(encoding="utf-8")) for file in files]
    return "\n".join(texts), made.memory_report


def _named(message: str, kinds: Sequence[str]) -> str:
    """What the generator says of an operator, whose number in the stretch tells nobody anything."""
    return OPERATOR.sub(lambda found: kinds[int(found[1])], message)


def _name(steps: Sequence[Stretch | OwnStep], place: int) -> str:
    return SYMBOL if len(steps) == 1 else f"{SYMBOL}_{place}"


def _call(step: Stretch | OwnStep, name: str, has_arena: bool, buffers: StepBuffers) -> str:
    if isinstance(step, OwnStep):
        return step.call(name, buffers.given, buffers.taken)
    arena = buffers.arena if has_arena else "NULL"  # the generator's own contract
    return f"bknn_{name}_infer({arena}, {buffers.given}, {buffers.taken});"


def _rounding_once(source: str) -> Iterator[str]:
    """The generated source, its functions of dense layers with the other rounding."""
    for part in re.split(r"(?m)^(?=[a-z])", source):
        name = part[: part.find("(")]
        yield REQUANTIZE.sub("model_round_once(", part) if "linear" in name else part
