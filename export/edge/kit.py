"""Making a kit: every room writes its part into a folder that appears when all are done."""

import contextlib
import shutil
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path

from export.edge.budget import Budget, check_budget
from export.edge.devices.boards import BOARDS, BoardFacts, verify_on_board
from export.edge.devices.browser import BrowserFacts, check_in_browser
from export.edge.devices.host_check import HostFacts, check_on_host
from export.edge.devices.tflm_check import check_tflm
from export.edge.folder import kit_folder
from export.edge.golden import Golden, answered, choose_golden, choose_test
from export.edge.golden_files import write_golden
from export.edge.kit_files import PREPROCESSING, copy_files
from export.edge.mistakes import Mistake, judge_mistakes, wrong_inputs
from export.edge.model_data import write_model_data
from export.edge.portable.code_size import CodeSize, measure_code
from export.edge.portable.portable_c import PortableFacts, write_portable_c
from export.edge.prefix import Prefix, set_prefix
from export.edge.readme import write_readme
from export.edge.record import ABI_VERSION, GoldenFacts, Kit, list_files, write_kit
from export.edge.reference_kernels import ReferenceKernels
from export.edge.settings_header import write_settings
from export.edge.subject import Subject
from export.edge.tflm_example import write_tflm_example
from export.errors import KitError
from export.formats import Format
from export.handed import Browser
from export.listener import Listener
from export.manifest import DataInfo
from training.datasets import Dataset

PACKAGES = ("keraport", "ai-edge-litert", "bakenn", "tflite-micro", "numpy")
FILES = {
    Format.TFLITE_INT8: "model_int8.tflite",
    Format.TFLITE_UINT8: "model_uint8.tflite",
    Format.TFLITE: "model_fp32.tflite",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KitOptions:
    """What bears on a kit beside the model and its data.

    Attributes:
        samples: how many test samples prove it, beside the golden vectors.
        browser: to run the uint8 file in, where that is wanted.
        verify: whether to run the C on emulated processors too.
        budget: what the device has.
        prefix: of every name in its C.
        time_limit_s: seconds that one step may take.
    """

    samples: int = 1000
    browser: Browser | None = None
    verify: bool = False
    budget: Budget = field(default_factory=Budget)
    prefix: Prefix = field(default_factory=Prefix)
    time_limit_s: float = 1800.0


def make_kit(
    subject: Subject, dataset: Dataset, out: Path, *, options: KitOptions, listener: Listener
) -> Kit:
    """Make a kit and put it in its place.

    Args:
        subject: the model.
        dataset: its test split gives golden vectors and accuracies.
        out: the kit's folder.
        options: what else bears on it.
        listener: told of progress.

    Raises:
        OverBudgetError: it does not fit.
        KitError: it cannot be made; what was in `out` is left as it was.
        ModuleNotFoundError: a package of the extra `edge` is not installed.
    """
    with kit_folder(out, subject.folder.parent) as (folder, work):
        kit = _Build(folder, work, options, listener).write(subject, dataset)
        check_budget(kit, subject, options.budget)
        write_readme(kit, folder)
        kit = replace(kit, files=list_files(folder))
        write_kit(kit, folder)
    return kit


@dataclass(frozen=True, slots=True)
class _Build:
    """A kit being built.

    Attributes:
        folder: of the kit.
        scratch: for what does not go into it.
        options: of it.
        listener: told of progress.
    """

    folder: Path
    scratch: Path
    options: KitOptions
    listener: Listener

    def write(self, subject: Subject, dataset: Dataset) -> Kit:
        """Write everything but the texts that speak of all of it."""
        with self.listener.during("running the reference kernels"):
            golden, test, mistakes = self._answers(subject, dataset)
        _copy_models(subject, self.folder)
        write_model_data(subject, self.folder)
        write_golden(subject, golden, dataset.source, self.folder)
        with self.listener.during("running TensorFlow Lite Micro"):
            limit = self.options.time_limit_s
            tflm = check_tflm(subject, golden, test, self.scratch, time_limit_s=limit)
        write_settings(subject, tflm, self.folder)
        if tflm.arena_minimum is not None:
            write_tflm_example(subject, self.folder)
        copy_files(self.folder, "python/classify.py", *(PREPROCESSING if subject.pixels else ()))
        portable, host, code = self._write_c(subject, test)
        boards = self._run_boards(golden) if portable.arena_bytes is not None and self.options.verify else ()
        browser = self._run_browser(subject, golden, test)
        return Kit(
            model=subject.manifest.model,
            version=subject.manifest.version,
            prefix=self.options.prefix.name,
            sha256=subject.sha256,
            checkpoint_sha256=subject.manifest.source.checkpoint_sha256,
            verdict=f"{subject.artifact.verdict}: {' '.join(subject.artifact.reason.split())}",
            input=subject.input,
            output=subject.output,
            pixels=subject.pixels,
            labels=subject.manifest.labels,
            operators=subject.operators,
            dataset=DataInfo(name=dataset.source, sha256=dataset.sha256, samples=len(dataset.test)),
            golden=GoldenFacts(vectors=len(golden), wrong=golden.wrong),
            portable=portable,
            host=host,
            code=code,
            boards=boards,
            browser=browser,
            tflm=tflm,
            mistakes=mistakes,
            packages=_versions(),
        )

    def _answers(self, subject: Subject, dataset: Dataset) -> tuple[Golden, Golden, tuple[Mistake, ...]]:
        """Golden vectors, test samples, and what mistakes cost, as the reference kernels answer."""
        limit = self.options.time_limit_s
        kernels = ReferenceKernels(subject.path, self.scratch, time_limit_s=limit)
        chosen = {
            "golden": choose_golden(subject, dataset),
            "test": choose_test(subject, dataset, self.options.samples),
        }
        numbers = {name: kernels.quantize(samples.raw) for name, samples in chosen.items()}
        wrong = wrong_inputs(subject, chosen["test"])
        answers = kernels.run({**numbers, **wrong})
        golden, test = (
            answered(subject, samples, numbers[name], answers[name]) for name, samples in chosen.items()
        )
        return golden, test, judge_mistakes(test, {what: answers[what] for what in wrong})

    def _write_c(self, subject: Subject, test: Golden) -> tuple[PortableFacts, HostFacts, CodeSize | None]:
        """The C without a runtime, what this machine makes of it, and how large it is."""
        portable = write_portable_c(subject, ABI_VERSION, self.folder)
        if portable.arena_bytes is not None:
            copy_files(self.folder, "verify.c", "Makefile")
        set_prefix(self.folder, self.options.prefix)  # before the checks: what is checked is what is shipped
        if portable.arena_bytes is None:
            return portable, HostFacts(), None
        with self.listener.during("building and running the C"):
            limit = self.options.time_limit_s
            host = check_on_host(self.folder, test, self.scratch, time_limit_s=limit)
            return portable, host, measure_code(self.folder, self.scratch, time_limit_s=limit)

    def _run_boards(self, golden: Golden) -> tuple[BoardFacts, ...]:
        found = []
        for board in BOARDS:
            with self.listener.during(f"running the C on {board.cpu}"):
                limit, prefix = self.options.time_limit_s, self.options.prefix
                try:
                    facts = verify_on_board(
                        board, self.folder, prefix, golden, self.scratch, time_limit_s=limit
                    )
                except KitError as error:  # one board's programs that do not work leave the rest as good
                    facts = BoardFacts(board=board.name, cpu=board.cpu, reason=str(error), broken=True)
                found.append(facts)
        return tuple(found)

    def _run_browser(self, subject: Subject, golden: Golden, test: Golden) -> BrowserFacts | None:
        if self.options.browser is None:
            return None
        with self.listener.during("running the uint8 file in a browser"):
            limit = self.options.time_limit_s
            return check_in_browser(
                self.options.browser, subject, golden, test, self.scratch, time_limit_s=limit
            )


def _versions() -> dict[str, str]:
    """Versions of what is installed of the packages that make a kit."""
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _copy_models(subject: Subject, folder: Path) -> None:
    """The published files byte for byte: what was proven of them is proven of the kit's."""
    for kind, path in {Format.TFLITE_INT8: subject.path, **subject.others()}.items():
        shutil.copyfile(path, folder / FILES[kind])
