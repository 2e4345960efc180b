"""The C without a runtime on other processors, emulated, and as WebAssembly: no byte may differ there."""

import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from export.edge.devices.host_check import run_verify, sources_of, stream
from export.edge.devices.programs import run_program
from export.edge.difference import Difference, compare
from export.edge.golden import Golden
from export.edge.prefix import Prefix, set_prefix
from export.errors import KitError

BOARD_FILES = Path(__file__).with_name("board")
ARM = "arm-none-eabi"
OPTIMIZED = "-O2"
WARNINGS = ("-Wall", "-Wextra", "-Werror")
BARE = (
    "--specs=rdimon.specs",
    "-nostartfiles",
    "-Wl,--gc-sections",
    "-ffunction-sections",
    "-fdata-sections",
)
TOO_LARGE = ("will not fit in region", "overflowed by")  # as the linker says it
WASM = ("--target=wasm32", "-nostdlib", "-Wl,--no-entry")


class Kind(StrEnum):
    """What is under the C."""

    BARE = "the bare machine"
    LINUX = "Linux"
    WASM = "WebAssembly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One processor.

    Attributes:
        name: QEMU's, of the machine; of a Linux processor QEMU's program; of WebAssembly what runs it.
        cpu: for people.
        compiler: prefix of its tools.
        flags: for the compiler.
        memory: the linker script of a bare machine's.
        kind: what is under the C.
    """

    name: str
    cpu: str
    compiler: str = ARM
    flags: tuple[str, ...] = ()
    memory: str = "mps2.ld"
    kind: Kind = Kind.BARE

    @property
    def device(self) -> str:
        """Its name on the command line."""
        return self.name if self.kind is Kind.WASM else f"qemu:{self.name.removeprefix('qemu-')}"

    @property
    def emulator(self) -> str:
        """The program that runs it."""
        match self.kind:
            case Kind.BARE:
                return "qemu-system-arm"
            case Kind.LINUX:
                return f"{self.name}-static"
            case Kind.WASM:
                return self.name

    def missing(self) -> tuple[str, ...]:
        """Programs that are not installed."""
        tools = ("clang", "wasm-ld") if self.kind is Kind.WASM else (f"{self.compiler}-gcc",)
        return tuple(name for name in (*tools, self.emulator) if shutil.which(name) is None)


BOARDS = (
    Board(name="mps2-an385", cpu="Cortex-M3", flags=("-mcpu=cortex-m3", "-mthumb")),
    Board(
        name="mps2-an386",
        cpu="Cortex-M4",
        flags=("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
    ),
    Board(
        name="mps2-an500",
        cpu="Cortex-M7",
        flags=("-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-d16"),
    ),
    Board(
        name="mps3-an547",
        cpu="Cortex-M55",
        flags=("-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard"),
        memory="mps3.ld",
    ),
    Board(name="qemu-aarch64", cpu="aarch64", compiler="aarch64-linux-gnu", kind=Kind.LINUX),
    Board(name="qemu-arm", cpu="armhf", compiler="arm-linux-gnueabihf", kind=Kind.LINUX),
    Board(name="node", cpu="wasm32", kind=Kind.WASM),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardFacts:
    """What one processor made of the C.

    Attributes:
        board, cpu: which.
        golden: whether no byte of the golden vectors differs; None if it was not run.
        flash_bytes: code and constants of infer.c, compiled by -O2; None of WebAssembly.
        instructions: of one inference; no cycles, which QEMU does not model. None but of bare machines.
        stack_bytes: that one inference takes, compiled by -O2, without interrupts; likewise.
        reason: why it was not run; empty if it was.
        broken: whether that is because its programs are installed and do not work.
    """

    board: str
    cpu: str
    golden: bool | None = None
    flash_bytes: int | None = None
    instructions: int | None = None
    stack_bytes: int | None = None
    reason: str = ""
    broken: bool = False


def verify_on_board(
    board: Board, folder: Path, prefix: Prefix, golden: Golden, scratch: Path, *, time_limit_s: float
) -> BoardFacts:
    """Build a kit's verify for a board and run it there.

    Args:
        board: which.
        folder: of the kit, with its C.
        prefix: of its names.
        golden: its vectors.
        scratch: where to build.
        time_limit_s: seconds that a run may take.

    Raises:
        KitError: the compiler refuses the C, or the program fails.
    """
    if missing := board.missing():
        return BoardFacts(board=board.name, cpu=board.cpu, reason=f"{' and '.join(missing)} missing")
    if board.kind is Kind.WASM:
        difference = answer_on_board(board, folder, prefix, golden, scratch, time_limit_s=time_limit_s)
        return BoardFacts(board=board.name, cpu=board.cpu, golden=not difference.differing_bytes)
    try:
        verify = _build(board, folder, sources_of(folder), scratch / f"{board.name}.elf", time_limit_s)
    except KitError as error:
        if not any(words in str(error) for words in TOO_LARGE):
            raise
        return BoardFacts(board=board.name, cpu=board.cpu, reason="verify takes more memory than it has")
    answers = run_verify(_start(board, verify), time_limit_s=time_limit_s, cwd=scratch)
    bare = board.kind is Kind.BARE
    instructions, stack = _measure(board, folder, prefix, scratch, time_limit_s) if bare else (None, None)
    return BoardFacts(
        board=board.name,
        cpu=board.cpu,
        golden=answers,
        flash_bytes=_flash(board, folder, scratch, time_limit_s),
        instructions=instructions,
        stack_bytes=stack,
    )


def answer_on_board(
    board: Board, folder: Path, prefix: Prefix, test: Golden, scratch: Path, *, time_limit_s: float
) -> Difference:
    """Send test samples through a board, and compare its answers with the reference kernels'.

    Args:
        board: whose programs are all installed.
        folder: of the kit, with its C.
        prefix: of its names.
        test: samples and the reference kernels' answers.
        scratch: where to build.
        time_limit_s: seconds that the run may take.

    Raises:
        KitError: the compiler refuses the C, or the program fails.
    """
    sources = sources_of(folder)
    if board.kind is Kind.WASM:
        sources = [folder / "infer.c", _own_program("wasm.c", prefix, scratch)]
    verify = _build(board, folder, sources, scratch / f"{board.name}.elf", time_limit_s)
    found = stream(lambda *files: _start(board, verify, *files), test, scratch, time_limit_s=time_limit_s)
    return compare(found, test.output, classes=test.expected is not None)


def _build(board: Board, folder: Path, sources: list[Path], program: Path, time_limit_s: float) -> Path:
    compiler = "clang" if board.kind is Kind.WASM else f"{board.compiler}-gcc"
    linking: dict[Kind, tuple[str, ...]] = {
        Kind.BARE: (
            str(BOARD_FILES / "startup.c"),
            *(f"-T{BOARD_FILES / script}" for script in (board.memory, "sections.ld")),
            *BARE,
        ),
        Kind.LINUX: ("-static",),
        Kind.WASM: WASM,
    }
    command = [compiler, "-std=gnu99", *WARNINGS, *board.flags, OPTIMIZED, "-I", str(folder)]
    command += [*map(str, sources), *linking[board.kind], "-o", str(program)]
    run_program(command, time_limit_s=time_limit_s)
    return program


def _start(board: Board, program: Path, *arguments: str, options: tuple[str, ...] = ()) -> list[str]:
    if board.kind is Kind.LINUX:
        return [board.emulator, str(program), *arguments]
    if board.kind is Kind.WASM:
        return [board.emulator, str(BOARD_FILES / "run_wasm.mjs"), str(program), *arguments]
    words = "".join(f",arg={word}" for word in ("verify", *arguments))
    still = ("-nographic", "-monitor", "none", "-serial", "none")
    semihosting = ("-semihosting-config", f"enable=on,target=native{words}")
    return [board.emulator, "-M", board.name, *still, *options, *semihosting, "-kernel", str(program)]


def _flash(board: Board, folder: Path, scratch: Path, time_limit_s: float) -> int:
    built = scratch / f"{board.name}.o"
    command = [f"{board.compiler}-gcc", "-std=c99", *board.flags, OPTIMIZED, "-c", str(folder / "infer.c")]
    run_program([*command, "-o", str(built)], time_limit_s=time_limit_s)
    _, listed = run_program([f"{board.compiler}-size", str(built)], time_limit_s=time_limit_s)
    text, data = map(int, listed.splitlines()[1].split()[:2])
    return text + data


def _own_program(name: str, prefix: Prefix, scratch: Path) -> Path:
    """A program of ours around a kit's C, with the names that the kit has."""
    home = scratch / "programs"
    home.mkdir(exist_ok=True)
    shutil.copyfile(BOARD_FILES / name, home / name)
    set_prefix(home, prefix)
    return home / name


def _measure(
    board: Board, folder: Path, prefix: Prefix, scratch: Path, time_limit_s: float
) -> tuple[int, int]:
    """Instructions and bytes of stack of one inference on a bare machine."""
    sources = [_own_program("measure.c", prefix, scratch), folder / "infer.c"]
    program = _build(board, folder, sources, scratch / f"{board.name}-measure.elf", time_limit_s)
    command = _start(board, program, options=("-icount", "shift=0"))
    _, printed = run_program(command, time_limit_s=time_limit_s, cwd=scratch)
    instructions, stack = map(int, printed.split())
    return instructions, stack
