"""`tflm/main.cc` with TensorFlow Lite Micro's own sources, on this machine and on an emulated Cortex-M3.

`TFLM_SOURCES` names a checkout of tflite-micro. Its third-party headers lie where its own Makefile's target
`third_party_downloads` puts them.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from export.edge.devices.boards import ARM, BARE, BOARD_FILES, BOARDS
from export.edge.devices.tflm_check import STEP
from export.edge.tflm_example import method_name

CHECKOUT = os.environ.get("TFLM_SOURCES", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not CHECKOUT, reason="TFLM_SOURCES names no checkout of tflite-micro"),
]

MICRO = "tensorflow/lite/micro"
DOWNLOADS = f"{MICRO}/tools/make/downloads"
INCLUDED = ("", f"{DOWNLOADS}/flatbuffers/include", f"{DOWNLOADS}/gemmlowp", f"{DOWNLOADS}/ruy")
KERNELS = ("kernel_util", "conv", "fully_connected", "pooling", "reshape")  # of the kit's model
SOURCES = (
    *(f"{MICRO}/{folder}*.cc" for folder in ("", "arena_allocator/", "memory_planner/", "tflite_bridge/")),
    *(f"{MICRO}/kernels/{name}{ending}.cc" for name in KERNELS for ending in ("", "_common")),
    *(f"tensorflow/lite/{folder}/**/*.cc" for folder in ("core", "kernels", "schema")),
    "tensorflow/compiler/**/*.cc",
)
NO_SOURCE = re.compile(r"(_test|/(mock|fake|test|recording)_\w+)\.cc$")
LANGUAGE = ("-std=c++17", "-Os", "-fno-rtti", "-fno-exceptions", "-fno-threadsafe-statics")
FLAGS = (*LANGUAGE, "-ffunction-sections", "-fdata-sections", "-DTF_LITE_STATIC_MEMORY")
STRICT = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
COMPILERS = 2  # at a time
M3 = BOARDS[0]
ATEXIT = "-fno-use-cxa-atexit"  # else static objects want __dso_handle, of the start files that are left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """TensorFlow Lite Micro, compiled.

    Attributes:
        prefix: of the compiler's tools; empty for this machine.
        flags: for the compiler.
        archive: of the objects.
    """

    prefix: str
    flags: tuple[str, ...]
    archive: Path

    def build(self, kit: Path, *options: str) -> Path:
        """The example of a kit, compiled strictly."""
        program, objects = kit / "example", []
        for name in ("model_data", "preprocess"):
            objects.append(kit / f"{name}.o")
            command = [f"{self.prefix}gcc", "-std=c99", *self.flags, "-c", kit / f"{name}.c"]
            subprocess.run([*command, "-o", objects[-1]], check=True)
        system = [word for folder in INCLUDED for word in ("-isystem", Path(CHECKOUT) / folder)]
        command = [f"{self.prefix}g++", *FLAGS, *self.flags, *STRICT, *options, "-I", kit, *system]
        command += [kit / "tflm" / "main.cc", *objects]
        if self.prefix:
            scripts = [f"-T{BOARD_FILES / script}" for script in (M3.memory, "sections.ld")]
            command += [ATEXIT, startup_of(self, kit), *scripts, *BARE]
        subprocess.run([*command, self.archive, "-Wl,--gc-sections", "-o", program], check=True)
        return program

    def run(self, program: Path) -> tuple[int, str]:
        """Its exit code and what it says."""
        command: list[str | Path] = [program]
        if self.prefix:
            quiet = ("-nographic", "-monitor", "none", "-serial", "none")
            semihosting = ("-semihosting-config", "enable=on,target=native")
            command = [M3.emulator, "-M", M3.name, *quiet, *semihosting, "-kernel", program]
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout + done.stderr


def startup_of(library: Library, folder: Path) -> Path:
    built = folder / "startup.o"
    command = [f"{library.prefix}gcc", "-std=gnu99", *library.flags, "-c", BOARD_FILES / "startup.c"]
    subprocess.run([*command, "-o", built], check=True)
    return built


def library_of(folder: Path, prefix: str, *flags: str) -> Library:
    """Compile the sources that the kit's model needs."""
    root = Path(CHECKOUT)
    found = sorted({path for pattern in SOURCES for path in root.glob(pattern)})
    sources = [path for path in found if not NO_SOURCE.search(path.as_posix())]
    included = [f"-I{root / part}" for part in INCLUDED]

    def compile_one(place: int) -> Path:
        built = folder / f"{place}.o"
        command = [f"{prefix}g++", *FLAGS, *flags, *included, "-c", sources[place], "-o", built]
        subprocess.run(command, check=True)
        return built

    with ThreadPoolExecutor(COMPILERS) as pool:
        objects = list(pool.map(compile_one, range(len(sources))))
    archive = folder / "libtflm.a"
    subprocess.run([f"{prefix}ar", "rcs", archive, *objects], check=True)
    return Library(prefix=prefix, flags=flags, archive=archive)


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Library:
    return library_of(tmp_path_factory.mktemp("here"), "")


@pytest.fixture(scope="module")
def cortex_m3(tmp_path_factory) -> Library:
    standard = [f"{ARM}-g++", *M3.flags, "-print-file-name=libstdc++.a"]
    if M3.missing() or "/" not in subprocess.run(standard, capture_output=True, text=True, check=True).stdout:
        pytest.skip("needs make tools-edge and libstdc++-arm-none-eabi-newlib")
    return library_of(tmp_path_factory.mktemp("m3"), f"{ARM}-", *M3.flags)


@pytest.fixture
def own_kit(kit, tmp_path) -> Path:
    return Path(shutil.copytree(kit, tmp_path / "kit"))


def setting(kit: Path, name: str) -> int:
    (value,) = re.findall(rf"#define {name} (\d+)", (kit / "model_settings.h").read_text())
    return int(value)


@pytest.mark.parametrize("where", ["here", "cortex_m3"])
def test_no_byte_differs_and_the_arena_is_as_small_as_the_example_says(where, own_kit, request):
    library = request.getfixturevalue(where)
    code, said = library.run(library.build(own_kit))
    assert code == 0, said
    assert "0 of 54880 input bytes differ" in said
    assert "0 of 700 output bytes differ" in said
    ((used, of),) = re.findall(r"(\d+) of (\d+) bytes of the arena are used", said)
    assert int(used) <= int(of) == setting(own_kit, "MODEL_TFLM_ARENA_BYTES")
    enough = -(-int(used) // STEP) * STEP
    assert library.run(library.build(own_kit, f"-DMODEL_TFLM_ARENA_BYTES={enough}"))[0] == 0
    code, said = library.run(library.build(own_kit, f"-DMODEL_TFLM_ARENA_BYTES={enough - STEP}"))
    assert code == 1
    assert f"an arena of {enough - STEP} bytes is too small" in said


def another_answer(kit: Path) -> None:
    path = kit / "golden" / "golden.h"
    before, name, after = path.read_text().rpartition("golden_output[MODEL_GOLDEN_COUNT]")
    changed = re.sub(r"-?\d+(?=,)", lambda number: str(int(number[0]) ^ 1), after, count=1)
    path.write_text(before + name + changed)


def other_weights(kit: Path) -> None:
    path = kit / "model_data.c"
    lines = path.read_text().splitlines()
    middle = len(lines) // 2
    lines[middle] = re.sub(r"\d+", lambda number: str(int(number[0]) ^ 0x80), lines[middle])
    path.write_text("\n".join(lines) + "\n")


def no_zero_point(kit: Path) -> None:
    path = kit / "preprocess.c"
    path.write_text(path.read_text().replace("pixels[place] - 128", "pixels[place] / 2"))


def one_operator_less(kit: Path) -> None:
    path = kit / "tflm" / "main.cc"
    path.write_text(re.sub(r".*AddReshape.*\n", "", path.read_text()))


def too_few_places(kit: Path) -> None:
    path = kit / "tflm" / "main.cc"
    path.write_text(re.sub(r"(?<=OpResolver<)\d+", lambda count: str(int(count[0]) - 1), path.read_text()))


@pytest.mark.parametrize(
    ("plant", "told"),
    [
        (another_answer, r"^1 of 700 output bytes differ"),
        (other_weights, r"^[1-9]\d* of 700 output bytes differ"),
        (no_zero_point, r"^[1-9]\d* of 54880 input bytes differ"),
        (one_operator_less, r"^an arena of \d+ bytes is too small, or this runtime lacks an operator"),
        (too_few_places, r"^an operator could not be registered"),
    ],
)
def test_what_is_planted_is_found(here, own_kit, plant: Callable[[Path], None], told):
    plant(own_kit)
    code, said = here.run(here.build(own_kit))
    assert code == 1, said
    assert re.search(told, said, re.MULTILINE), said


def test_every_operator_of_the_runtime_gets_its_methods_name():
    text = (Path(CHECKOUT) / MICRO / "micro_mutable_op_resolver.h").read_text()
    body = r"TfLiteStatus Add(\w+)\((?:(?!TfLiteStatus).)*?AddBuiltin\(\s*BuiltinOperator_(\w+)"
    methods = {operator: method for method, operator in re.findall(body, text, re.DOTALL)}
    assert methods.keys() == set(re.findall(r"BuiltinOperator_(\w+)", text)) - {"CUSTOM"}
    assert methods == {operator: method_name(operator) for operator in methods}
