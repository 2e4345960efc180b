"""`kit.json`: what a kit holds, with digests, and whether it still holds that."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from export.edge.devices.boards import BoardFacts
from export.edge.devices.browser import BrowserFacts
from export.edge.devices.host_check import HostFacts
from export.edge.devices.tflm_check import TflmFacts
from export.edge.mistakes import Mistake
from export.edge.portable.code_size import CodeSize
from export.edge.portable.portable_c import PortableFacts
from export.edge.subject import Tensor
from export.errors import KitError, first_line
from export.inspecting.contents import OperatorFacts
from export.manifest import DataInfo, content_sha256
from export.verdict import Verdict

KIT_NAME = "kit.json"
KIND = "keraport edge kit"
SCHEMA_VERSION = 1
ABI_VERSION = 1  # of the C interface: raised when infer.h or model_settings.h change incompatibly
MOST_BYTES = 4 << 20  # of a kit.json
BUILT = "verify"  # the program that the kit's own Makefile makes


@dataclass(frozen=True, slots=True, kw_only=True)
class KitFile:
    """One file of a kit.

    Attributes:
        path: below the kit's folder, with forward slashes.
        bytes: its size.
        sha256: of its content.
    """

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenFacts:
    """What the golden vectors are.

    Attributes:
        vectors: how many.
        wrong: how many of them the model takes for another class; None where there are no classes.
    """

    vectors: int
    wrong: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """All that a kit says of itself.

    Attributes:
        kind: `keraport edge kit`.
        schema_version: of this record.
        abi_version: of the C interface.
        model, version: of the published version.
        prefix: of every name in the C.
        sha256: of the int8 file, which every other number here speaks of.
        checkpoint_sha256: of the trained model.
        verdict: in one line, how the int8 file compares with the trained model.
        input, output: of the int8 file.
        pixels: whether the input takes raw pixels, each as pixel - 128.
        labels: one text a class.
        operators: of the int8 file.
        dataset: the data that golden vectors and accuracies come from.
        golden: of the golden vectors.
        portable: what the C without a runtime needs, or why there is none.
        host: what this machine made of that C.
        tflm: what TensorFlow Lite Micro's kernels need, and how alike they answer.
        code: what a compiler made of that C; None where none is installed.
        boards: what emulated processors made of it, where that was asked for.
        browser: what a browser made of the uint8 file; None where that was not asked for.
        mistakes: in preprocessing, and what each does; the right way first.
        packages: versions of what made the kit.
        files: every other file, sorted by path.
    """

    kind: str = KIND
    schema_version: int = SCHEMA_VERSION
    abi_version: int = ABI_VERSION
    model: str
    version: int
    prefix: str
    sha256: str
    checkpoint_sha256: str
    verdict: str
    input: Tensor
    output: Tensor
    pixels: bool
    labels: tuple[str, ...]
    operators: tuple[OperatorFacts, ...]
    dataset: DataInfo
    golden: GoldenFacts
    portable: PortableFacts
    host: HostFacts
    tflm: TflmFacts
    code: CodeSize | None
    boards: tuple[BoardFacts, ...]
    browser: BrowserFacts | None
    mistakes: tuple[Mistake, ...]
    packages: dict[str, str]
    files: tuple[KitFile, ...] = ()

    @property
    def ram_bytes(self) -> int | None:
        """What the C takes of RAM, without the stack; None if there is no C."""
        if self.portable.arena_bytes is None:
            return None
        static = self.code.static_bytes if self.code else 0
        return self.portable.arena_bytes + static + self.input.bytes + self.output.bytes

    @property
    def verdict_of_parts(self) -> Verdict:
        """Whether it proves itself.

        Fail if something that must answer as the reference kernels do does not; inconclusive if no part does,
        or something that is installed could not be run.
        """
        others = any(board.golden is False for board in self.boards)
        if self.host.differs or others or (self.browser is not None and self.browser.differs):
            return Verdict.FAIL
        if self.broken or not (self.host.proven or self.tflm.proven):
            return Verdict.INCONCLUSIVE
        return Verdict.PASS

    @property
    def broken(self) -> tuple[str, ...]:
        """What is installed, was asked for, and could not be run."""
        boards = [board.cpu for board in self.boards if board.broken]
        return (*boards, *(["the browser"] if self.browser is not None and self.browser.broken else []))


def board_figures(kit: Kit, board: BoardFacts) -> tuple[str, ...]:
    """Flash, RAM, stack and instructions of a processor for people; empty what was not measured there."""
    ram = None if board.flash_bytes is None else kit.ram_bytes
    figures = (board.flash_bytes, ram, board.stack_bytes, board.instructions)
    return tuple("" if figure is None else f"{figure:,}" for figure in figures)


def list_files(folder: Path) -> tuple[KitFile, ...]:
    """Every file of a folder but `kit.json`, sorted by path."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return tuple(
        KitFile(path=name, bytes=path.stat().st_size, sha256=content_sha256(path))
        for name, path in sorted(found.items())
        if name != KIT_NAME
    )


def write_kit(kit: Kit, folder: Path) -> None:
    """Write `kit.json` into a folder that nobody reads yet."""
    (folder / KIT_NAME).write_bytes(_encode(kit))


def _encode(kit: Kit) -> bytes:
    return msgspec.json.format(msgspec.json.encode(kit), indent=2) + b"\n"


def read_kit(folder: Path) -> Kit:
    """Read the record of a kit.

    Raises:
        KitError: there is none, or one of another schema.
    """
    path = folder / KIT_NAME
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        raise KitError(f"{folder} is no edge kit: it has no {KIT_NAME} of keraport's")
    try:
        kit = msgspec.json.decode(path.read_bytes(), type=Kit)
    except msgspec.MsgspecError as error:
        raise KitError(
            f"{path} is not as keraport writes it ({first_line(error)}): make the kit again"
        ) from error
    if (kit.kind, kit.schema_version) != (KIND, SCHEMA_VERSION):
        raise KitError(
            f"{path} is of schema_version {kit.schema_version}, not {SCHEMA_VERSION}: make it again"
        )
    return kit


def changed_files(kit: Kit, folder: Path) -> tuple[str, ...]:
    """Paths that are missing, changed, or not of the kit; but for the program that its Makefile makes."""
    known: dict[str, KitFile | None] = {file.path: file for file in kit.files}
    there: dict[str, KitFile | None] = {file.path: file for file in list_files(folder)}
    there |= {path.relative_to(folder).as_posix(): None for path in folder.rglob("*") if _strange(path)}
    if (folder / KIT_NAME).read_bytes() != _encode(kit):
        there[KIT_NAME] = None
    names = sorted((known | there).keys() - {BUILT})
    return tuple(name for name in names if name not in known or known[name] != there.get(name))


def _strange(path: Path) -> bool:
    """Whether it is what no kit holds: an empty folder, a link, a pipe."""
    if path.is_symlink():
        return True
    return not any(path.iterdir()) if path.is_dir() else not path.is_file()
