"""`infer.h` and `infer.c`: the int8 file as C without a runtime, by the generator BakeNN."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from export.edge.c_text import c_comment
from export.edge.generator_form import generator_form
from export.edge.infer_text import HEADER, MEAN, ONCE, SOURCE
from export.edge.stretches import Mean, Stretch, cut
from export.edge.subject import Subject
from export.errors import first_line

GENERATOR = "bakenn"
LICENSE = "licenses/bakenn.txt"
SYMBOL = "model"
# In the order in which one file needs them: declarations, then what is declared.
PARTS = (".h", "_kernels.h", "_weights.h", "_weights.c", "_kernels.c", ".c")
ALIGNMENT = 16
REQUANTIZE = re.compile(r"bknn_\w*_q31_requantize\(")
OWN_INCLUDE = re.compile(r'^#include "bknn_[^"]*"\n', re.MULTILINE)
# What BakeNN reads of TFLite's operators, of others it says only their number; and MEAN, which is our own.
KNOWN = (
    "ADD",
    "AVERAGE_POOL_2D",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "MAX_POOL_2D",
    "MEAN",
    "PAD",
    "PADV2",
    "RESHAPE",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PortableFacts:
    """What the C without a runtime needs, or why there is none.

    Attributes:
        generator: and its release.
        arena_bytes: of working memory; None if there is no C.
        constant_bytes: weights, biases and multipliers.
        unknown: operators that the generator does not know.
        reason: why there is no C, in one line; empty if there is.
    """

    generator: str
    arena_bytes: int | None = None
    constant_bytes: int = 0
    unknown: tuple[str, ...] = ()
    reason: str = ""


def write_portable_c(subject: Subject, abi_version: int, folder: Path) -> PortableFacts:
    """Write both files and the generator's licence, if the generator knows the model's operators.

    Raises:
        ModuleNotFoundError: the generator is not installed.
    """
    import bakenn

    release = metadata.version(GENERATOR)
    generator = f"{GENERATOR} {release}"
    try:
        code = _generate(cut(generator_form(subject.path.read_bytes())))
    except bakenn.BakeNNError as error:
        unknown = tuple(each.name for each in subject.operators if each.name not in KNOWN)
        said = f"it does not know {', '.join(unknown)}" if unknown else first_line(error)
        return PortableFacts(generator=generator, unknown=unknown, reason=f"{generator}: {said}")
    facts = {
        "title": c_comment(subject.title),
        "abi_version": abi_version,
        "kit_id": subject.sha256[:8],
        "sha256": subject.sha256,
        "arena": code.arena_bytes,
        "alignment": ALIGNMENT,
        "release": release,
        "license": LICENSE,
        "own": code.own,
        "generated": code.generated,
        "calls": "\n".join(code.calls),
    }
    (folder / "infer.h").write_text(HEADER.format(**facts), encoding="utf-8")
    (folder / "infer.c").write_text(SOURCE.format(**facts), encoding="utf-8")
    (folder / LICENSE).parent.mkdir()
    (folder / LICENSE).write_text(_licence(), encoding="utf-8")
    return PortableFacts(
        generator=generator, arena_bytes=code.arena_bytes, constant_bytes=code.constant_bytes
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Code:
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


def _generate(steps: Sequence[Stretch | Mean]) -> _Code:
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
    own = ONCE + (MEAN if len(steps) > len(arenas) else "")
    return _Code(
        own=own,
        generated="".join(sources),
        calls=tuple(calls),
        arena_bytes=end or ALIGNMENT,  # C has no arrays of no bytes
        constant_bytes=constants,
    )


def _name(steps: Sequence[Stretch | Mean], place: int) -> str:
    return SYMBOL if len(steps) == 1 else f"{SYMBOL}_{place}"


def _call(step: Stretch | Mean, name: str, arena_bytes: int | None, given: str, taken: str) -> str:
    if isinstance(step, Mean):
        numbers = (step.positions, step.channels, step.input_zero_point, step.output_zero_point)
        listed = ", ".join(map(str, (*numbers, step.multiplier, step.shift)))
        return f"model_mean({given}, {taken}, {listed});"
    arena = "arena" if arena_bytes else "NULL"  # the generator's own contract
    return f"bknn_{name}_infer({arena}, {given}, {taken});"


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _rounding_once(source: str) -> Iterator[str]:
    """The generated source, its functions of dense layers with the other rounding."""
    for part in re.split(r"(?m)^(?=[a-z])", source):
        name = part[: part.find("(")]
        yield REQUANTIZE.sub("model_round_once(", part) if "linear" in name else part


def _licence() -> str:
    """The generator's, as its package brings it.

    Raises:
        ModuleNotFoundError: the package lacks it.
    """
    for file in metadata.files(GENERATOR) or ():
        if file.name == "LICENSE":
            return file.read_text(encoding="utf-8")
    raise ModuleNotFoundError(f"{GENERATOR} was installed without its licence", name=GENERATOR)
