"""Where the numbers between the steps of an inference lie in its arena."""

from collections.abc import Sequence
from dataclasses import dataclass

from export.edge.portable.own_steps import OwnStep
from export.edge.portable.stretches import Stretch

ALIGNMENT = 16
INPUT = -1  # its turn


@dataclass(frozen=True, slots=True, kw_only=True)
class StepBuffers:
    """C expressions.

    Attributes:
        arena: what a step works in.
        given: what it reads.
        taken: where it writes.
    """

    arena: str
    given: str
    taken: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffers:
    """The arena's layout.

    Attributes:
        bytes: that it takes.
        steps: the buffers of each step.
    """

    bytes: int
    steps: tuple[StepBuffers, ...]


def place_buffers(steps: Sequence[Stretch | OwnStep], arenas: Sequence[int]) -> Buffers:
    """Put results at the front and at the end of the arena by turns, and what a step works in between.

    A result takes no other buffer where the next step works in place.

    Args:
        steps: of the inference.
        arenas: bytes that each works in.
    """
    turns = [0]  # which buffer each step writes; the last one is the output
    for step in steps[1:]:
        turns.append(turns[-1] + (0 if isinstance(step, OwnStep) and step.in_place else 1))
    sizes = {turn: _aligned(step.output_bytes) for turn, step in zip(turns, steps, strict=True)}
    sizes[INPUT] = sizes[turns[-1]] = 0  # which are the caller's
    pairs = list(zip([INPUT, *turns], turns, strict=False))
    whole = max(
        sum(sizes[turn] for turn in {*pair}) + _aligned(arena)
        for pair, arena in zip(pairs, arenas, strict=True)
    )
    names = {
        turn: f"(int8_t *)(arena + {0 if turn % 2 == 0 else whole - size})" for turn, size in sizes.items()
    }
    names |= {INPUT: "input", turns[-1]: "output"}
    return Buffers(
        bytes=whole,
        steps=tuple(
            StepBuffers(
                arena=f"arena + {sum(sizes[turn] for turn in {*pair} if turn % 2 == 0)}",
                given=names[pair[0]],
                taken=names[pair[1]],
            )
            for pair in pairs
        ),
    )


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
