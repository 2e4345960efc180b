"""Making a kit: every room writes its part into a folder that appears when all are done."""

import shutil
import tempfile
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from export.edge.folder import kit_folder
from export.edge.golden import ReferenceKernels, take_golden
from export.edge.golden_files import write_golden
from export.edge.model_data import write_model_data
from export.edge.record import GoldenFacts, Kit, list_files, write_kit
from export.edge.settings_header import write_settings
from export.edge.subject import Subject
from export.edge.tflm_check import check_tflm
from export.errors import KitError
from export.formats import Format
from export.listener import Listener
from export.manifest import DataInfo
from training.datasets import Dataset

PACKAGES = ("keraport", "ai-edge-litert", "tflite-micro", "numpy")
FILES = {
    Format.TFLITE_INT8: "model_int8.tflite",
    Format.TFLITE_UINT8: "model_uint8.tflite",
    Format.TFLITE: "model_fp32.tflite",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KitOptions:
    """What bears on a kit beside the model and its data.

    Attributes:
        time_limit_s: seconds that one step may take.
    """

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
        KitError: it cannot be made, or a kernel's answers differ; what was in `out` is left as it was.
        ModuleNotFoundError: a package of the extra `edge` is not installed.
    """
    with kit_folder(out) as folder, tempfile.TemporaryDirectory(prefix="keraport-") as scratch:
        _copy_models(subject, folder)
        write_model_data(subject, folder)
        with listener.during("running the reference kernels"):
            golden = take_golden(subject, dataset, ReferenceKernels(subject.path))
        write_golden(subject, golden, dataset.source, folder)
        with listener.during("measuring the arena of TensorFlow Lite Micro"):
            tflm = check_tflm(subject, golden, Path(scratch), time_limit_s=options.time_limit_s)
        if tflm.differing_bytes:
            raise KitError(
                f"TensorFlow Lite Micro answers {tflm.differing_bytes:,} of {tflm.compared_bytes:,} bytes "
                "otherwise than LiteRT's reference kernels: export the model by another --quantizer"
            )
        write_settings(subject, tflm, folder)
        kit = Kit(
            model=subject.manifest.model,
            version=subject.manifest.version,
            sha256=subject.sha256,
            checkpoint_sha256=subject.manifest.source.checkpoint_sha256,
            verdict=f"{subject.artifact.verdict}: {subject.artifact.reason}",
            input=subject.input,
            output=subject.output,
            pixels=subject.pixels,
            labels=subject.manifest.labels,
            operators=subject.operators,
            dataset=DataInfo(name=dataset.source, sha256=dataset.sha256, samples=len(dataset.test)),
            golden=GoldenFacts(vectors=len(golden), wrong=golden.wrong),
            tflm=tflm,
            packages={name: metadata.version(name) for name in PACKAGES},
        )
        kit = replace(kit, files=list_files(folder))
        write_kit(kit, folder)
    return kit


def _copy_models(subject: Subject, folder: Path) -> None:
    """The published files byte for byte: what was proven of them is proven of the kit's."""
    for kind, path in {Format.TFLITE_INT8: subject.path, **subject.others()}.items():
        shutil.copyfile(path, folder / FILES[kind])
