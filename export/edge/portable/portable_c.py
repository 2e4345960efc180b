"""`infer.h` and `infer.c`: the int8 file as C without a runtime, by the generator BakeNN."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from export.edge.c_text import c_comment
from export.edge.portable.buffers import ALIGNMENT
from export.edge.portable.generator_form import generator_form
from export.edge.portable.infer_code import GeneratorError, generate
from export.edge.portable.infer_text import HEADER, SOURCE
from export.edge.portable.own_operators import OWN
from export.edge.portable.stretches import Stretch, cut
from export.edge.subject import Subject

GENERATOR = "bakenn"
LICENSE = "licenses/bakenn.txt"
# What BakeNN reads of TFLite's operators: of others it says only the number.
KNOWN = frozenset(
    {
        "ADD",
        "AVERAGE_POOL_2D",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "FULLY_CONNECTED",
        "MAX_POOL_2D",
        "PAD",
        "PADV2",
        "RESHAPE",
    }
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
    release = metadata.version(GENERATOR)
    generator = f"{GENERATOR} {release}"
    steps = cut(generator_form(subject.path.read_bytes()))
    unknown = sorted({kind for step in steps if isinstance(step, Stretch) for kind in step.kinds} - KNOWN)
    try:
        if unknown:
            raise GeneratorError(_lacking(unknown))
        code = generate(steps)
    except GeneratorError as error:
        return PortableFacts(generator=generator, unknown=tuple(unknown), reason=f"{generator}: {error}")
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


def _lacking(kinds: Sequence[str]) -> str:
    """What the C lacks, in one line."""
    texts = {
        "it does not know": [kind for kind in kinds if kind not in OWN],
        "among branches it takes no": [kind for kind in kinds if kind in OWN],
    }
    return "; ".join(f"{text} {', '.join(found)}" for text, found in texts.items() if found)


def _licence() -> str:
    """The generator's, as its package brings it.

    Raises:
        ModuleNotFoundError: the package lacks it.
    """
    for file in metadata.files(GENERATOR) or ():
        if file.name == "LICENSE":
            return file.read_text(encoding="utf-8")
    raise ModuleNotFoundError(f"{GENERATOR} was installed without its licence", name=GENERATOR)
