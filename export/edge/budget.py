"""Flash and RAM that a kit may take, and the table of what takes them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from export.converters.tflite_graph import TFLiteGraph
from export.edge.record import Kit
from export.edge.subject import Subject
from export.errors import KitError

FLASH, RAM = "flash", "RAM"
SHAPED = ("RESHAPE", "MEAN", "PAD", "PADV2")  # their constants are shapes, which the C holds in its code
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20}
SIZE = re.compile(r"(\d{1,9})([KM]?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What there is, in bytes; None without a limit."""

    flash_bytes: int | None = None
    ram_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing that takes space.

    Attributes:
        memory: `flash` or `RAM`.
        what: it is.
        bytes: that it takes.
    """

    memory: str
    what: str
    bytes: int


class OverBudgetError(KitError):
    """A model does not fit.

    Attributes:
        rows: what takes the space.
    """

    def __init__(self, message: str, rows: tuple[Row, ...]) -> None:
        super().__init__(message)
        self.rows = rows


def parse_size(text: str | None) -> int | None:
    """Bytes of a text such as 65536, 64K or 1M; K is 1,024.

    Raises:
        KitError: it is none.
    """
    if text is None:
        return None
    found = SIZE.fullmatch(text)
    if found is None:
        raise KitError(f"{text!r} is no size: give bytes, such as 65536, 64K or 1M")
    return int(found[1]) * UNITS[found[2].upper()]


def check_budget(kit: Kit, subject: Subject, budget: Budget) -> None:
    """Check that a kit fits: by its C without a runtime, or by its file and arena where there is no C.

    Raises:
        OverBudgetError: it does not.
        KitError: what it takes is not known here.
    """
    if kit.portable.arena_bytes is not None and kit.code is None and budget != Budget():
        raise KitError("no compiler here can tell what the C takes: install gcc-arm-none-eabi or gcc")
    if kit.portable.arena_bytes is None and kit.tflm.arena_minimum is None and budget.ram_bytes is not None:
        raise KitError(f"nothing here can tell what RAM it takes ({kit.tflm.reason}): leave out --ram")
    rows = tuple(space_of(kit, subject))
    over = [
        f"{taken:,} bytes of {memory} where there are {limit:,}"
        for memory, limit in ((FLASH, budget.flash_bytes), (RAM, budget.ram_bytes))
        if limit is not None and (taken := total(rows, memory)) > limit
    ]
    if over:
        raise OverBudgetError(f"{subject.title} takes {' and '.join(over)}: take a smaller model", rows)


def total(rows: tuple[Row, ...], memory: str) -> int:
    """Bytes of all rows of one memory."""
    return sum(row.bytes for row in rows if row.memory == memory)


def space_of(kit: Kit, subject: Subject) -> Iterator[Row]:
    """What takes flash and RAM, in the order in which the model uses it."""
    if kit.portable.arena_bytes is None:
        yield Row(
            memory=FLASH, what="the int8 file, without the runtime's code", bytes=subject.artifact.bytes
        )
        if kit.tflm.arena_minimum is not None:
            yield Row(memory=RAM, what="arena of TensorFlow Lite Micro", bytes=kit.tflm.arena_bytes)
        return
    weights = list(_weights(subject))
    yield from weights
    rest = kit.portable.constant_bytes - sum(row.bytes for row in weights)
    yield Row(memory=FLASH, what="multipliers and shifts", bytes=rest)
    if kit.code is not None:
        code = kit.code.flash_bytes - kit.portable.constant_bytes
        yield Row(memory=FLASH, what=f"code, compiled by -Os for {kit.code.target}", bytes=code)
        yield Row(memory=RAM, what="variables", bytes=kit.code.static_bytes)
    yield Row(memory=RAM, what="arena", bytes=kit.portable.arena_bytes)
    yield Row(memory=RAM, what="input and output", bytes=kit.input.bytes + kit.output.bytes)


def _weights(subject: Subject) -> Iterator[Row]:
    """The constants of every operator that the C carries too."""
    graph = TFLiteGraph(subject.path.read_bytes())
    for place, operator in enumerate(graph.main.operators):
        kind = graph.kind(operator)
        if kind in SHAPED:
            continue
        constants = [graph.constant(tensor) for tensor in operator.inputs]
        taken = sum(values.nbytes for values in constants if values is not None)
        if taken:
            yield Row(memory=FLASH, what=f"weights of operator {place}, {kind}", bytes=taken)
