"""How much flash the C without a runtime takes, by the compiler that is nearest to a microcontroller's."""

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from export.edge.devices.programs import run_program
from export.errors import KitError

FLAGS = ("-std=c99", "-Os", "-ffunction-sections", "-fdata-sections", "-c")
# Compiler, what it compiles for, its own flags, and the program that tells an object's size.
COMPILERS = (
    ("arm-none-eabi-gcc", "Cortex-M4", ("-mcpu=cortex-m4", "-mthumb"), "arm-none-eabi-size"),
    ("cc", "this machine", (), "size"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSize:
    """What one compiler makes of infer.c.

    Attributes:
        target: what it compiles for.
        flash_bytes: code and constants.
        static_bytes: of RAM that the object itself takes, beside the arena.
    """

    target: str
    flash_bytes: int
    static_bytes: int


def measure_code(folder: Path, scratch: Path, *, time_limit_s: float) -> CodeSize | None:
    """Compile infer.c for size with the first compiler that can; None where there is none."""
    for compiler, target, flags, size in COMPILERS:
        if shutil.which(compiler) and shutil.which(size):
            built = scratch / "infer.o"
            command = [compiler, *FLAGS, *flags, str(folder / "infer.c"), "-o", str(built)]
            with contextlib.suppress(
                KitError
            ):  # one without its headers, say: the figure is worth no failure
                run_program(command, time_limit_s=time_limit_s)
                _, listed = run_program([size, str(built)], time_limit_s=time_limit_s)
                text, data, bss = map(int, listed.splitlines()[1].split()[:3])
                return CodeSize(target=target, flash_bytes=text + data, static_bytes=data + bss)
    return None
