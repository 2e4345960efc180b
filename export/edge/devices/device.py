"""Parity of a device: its image inherits the verdict of the int8 file if it answers with the same bytes."""

from dataclasses import dataclass
from pathlib import Path

from export.edge.devices.boards import BOARDS, Board, answer_on_board
from export.edge.devices.device_names import HOST, OWN_VERDICT
from export.edge.devices.host_check import check_on_host
from export.edge.devices.tflm_check import TflmFacts
from export.edge.difference import Difference
from export.edge.golden import answered, choose_test
from export.edge.golden_files import write_golden
from export.edge.kit_files import PREPROCESSING, copy_files
from export.edge.portable.portable_c import write_portable_c
from export.edge.prefix import Prefix, set_prefix
from export.edge.record import ABI_VERSION
from export.edge.reference_kernels import ReferenceKernels
from export.edge.settings_header import write_settings
from export.edge.subject import Subject
from export.errors import KitError
from export.formats import Format
from export.reporting.junit import Case, outcome_of, render_suite
from export.verdict import Verdict
from training.datasets import Dataset

FEWEST = 1000  # samples, without which nothing is inherited


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCheck:
    """What a device's answers show.

    Attributes:
        device: as it was named.
        model, version: of the published version.
        sha256: of the int8 file.
        verdict, reason: what follows.
        difference: from LiteRT's reference kernels.
        data_sha256: of the samples' data set.
    """

    device: str
    model: str
    version: int
    sha256: str
    verdict: Verdict
    reason: str
    difference: Difference
    data_sha256: str


def device_junit(check: DeviceCheck, created: str) -> bytes:
    """The verdict as JUnit XML, one test case.

    Args:
        check: what was found.
        created: when, in ISO 8601.
    """
    difference = check.difference
    case = Case(
        name=f"{Format.TFLITE_INT8} on {check.device}",
        numbers={
            "sha256": check.sha256,
            "compared_bytes": difference.compared_bytes,
            "differing_bytes": difference.differing_bytes,
            "largest_step": difference.largest_step,
            "differing_classes": difference.differing_classes,
        },
        outcome=outcome_of(check.verdict),
        verdict=check.verdict,
        reason=check.reason,
    )
    facts = {
        "verdict": check.verdict.value,
        "version": check.version,
        "device": check.device,
        "data_sha256": check.data_sha256,
        "samples": difference.samples,
    }
    return render_suite(check.model, created, facts, [case])


def find_device(name: str) -> Board | None:
    """The board of a name such as `qemu:mps2-an385`; None of `host`, this machine.

    Raises:
        KitError: there is none, or its programs are not installed.
    """
    known = {board.device: board for board in BOARDS}
    if name == HOST:
        return None
    if name not in known:
        raise KitError(f"no device {name!r}: choose from {', '.join((HOST, *known, *OWN_VERDICT))}")
    if missing := known[name].missing():
        raise KitError(f"{name} needs {' and '.join(missing)}: install them, by make tools-edge")
    return known[name]


def check_device(
    subject: Subject, dataset: Dataset, name: str, scratch: Path, *, samples: int, time_limit_s: float
) -> DeviceCheck:
    """Build the image of a device, send it test samples, and compare its answers byte by byte.

    Args:
        subject: the model.
        dataset: whose test samples to send.
        name: of the device.
        scratch: where to build.
        samples: how many to send.
        time_limit_s: seconds that the device may take.

    Raises:
        KitError: no such device, or no C can be made of the model.
    """
    board = find_device(name)
    kernels = ReferenceKernels(subject.path, scratch, time_limit_s=time_limit_s)
    chosen = choose_test(subject, dataset, samples)
    numbers = kernels.quantize(chosen.raw)
    test = answered(subject, chosen, numbers, kernels.run({"test": numbers})["test"])
    folder = scratch / "kit"
    folder.mkdir()
    write_golden(subject, test.first(1), dataset.source, folder)  # verify.c needs one to be compiled
    write_settings(subject, TflmFacts(), folder)
    portable = write_portable_c(subject, ABI_VERSION, folder)
    if portable.arena_bytes is None:
        raise KitError(f"no C without a runtime can be made of {subject.title} ({portable.reason})")
    copy_files(folder, "verify.c", *(PREPROCESSING if subject.pixels else ()))
    prefix = Prefix()
    set_prefix(folder, prefix)
    if board is None:
        difference = check_on_host(folder, test, scratch, time_limit_s=time_limit_s).test
        if difference is None:
            raise KitError("there is no C compiler here: install one as cc")
    else:
        difference = answer_on_board(board, folder, prefix, test, scratch, time_limit_s=time_limit_s)
    verdict, reason = inherited(difference, subject.artifact.reason)
    return DeviceCheck(
        device=name,
        model=subject.manifest.model,
        version=subject.manifest.version,
        sha256=subject.sha256,
        verdict=verdict,
        reason=reason,
        difference=difference,
        data_sha256=dataset.sha256,
    )


def inherited(difference: Difference, reason: str) -> tuple[Verdict, str]:
    """The verdict of a device whose int8 file has passed, and why.

    Args:
        difference: of its answers.
        reason: why the file has passed.
    """
    if difference.differing_bytes:
        return Verdict.FAIL, difference.summary
    if difference.samples < FEWEST:
        return Verdict.INCONCLUSIVE, f"{difference.summary}: at least {FEWEST:,} samples are needed"
    return Verdict.PASS, f"{difference.summary}; the int8 file: {reason}"
