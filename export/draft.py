"""What an export is asked for, and the manifest that follows from what it did."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from export.custom import CustomCode
from export.data import CALIBRATION_SAMPLES
from export.environment import cpu_flags, package_versions
from export.formats import Format
from export.manifest import SCHEMA_VERSION, Artifact, Conversion, DataInfo, Manifest, Source
from export.sessions import SessionSettings
from export.source import Checkpoint
from export.steps import Prepared
from training.datasets import Dataset, Samples


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What to export, and how.

    Attributes:
        formats: to try.
        required: without a passing or inconclusive verdict on each of these nothing is published.
        keep_float: layers to leave out of quantization.
        quantizer: which library quantizes TFLite files.
        session: under which ONNX files are checked, and then served.
        custom: code of layers that are not Keras's own.
        time_limit_s: seconds that one step may take.
    """

    formats: Sequence[Format]
    required: Sequence[Format]
    keep_float: tuple[str, ...] = ()
    quantizer: str = "tensorflow"
    session: SessionSettings = field(default_factory=SessionSettings)
    custom: CustomCode | None = None
    time_limit_s: float


def draft_manifest(
    name: str,
    prepared: Prepared,
    checkpoint: Checkpoint,
    dataset: Dataset,
    calibration: Dataset,
    options: ExportOptions,
    artifacts: tuple[Artifact, ...],
) -> Manifest:
    """The manifest of a version that has no number yet."""
    return Manifest(
        schema_version=SCHEMA_VERSION,
        model=name,
        version=0,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        source=Source(
            checkpoint_sha256=checkpoint.sha256,
            run=checkpoint.record.name if checkpoint.record else None,
            custom_sha256=options.custom.sha256 if options.custom else None,
        ),
        dataset=DataInfo(name=dataset.source, sha256=dataset.sha256, samples=len(dataset.test)),
        inputs=prepared.inputs,
        outputs=prepared.outputs,
        labels=prepared.labels,
        conversion=Conversion(
            keep_float=options.keep_float,
            quantizer=options.quantizer,
            calibration=_data_info(calibration, calibration.train),
        ),
        artifacts=artifacts,
        packages=package_versions(),
        cpu_flags=cpu_flags(),
    )


def _data_info(dataset: Dataset, samples: Samples | None) -> DataInfo | None:
    if samples is None:
        return None
    return DataInfo(
        name=dataset.source, sha256=dataset.sha256, samples=min(len(samples), CALIBRATION_SAMPLES)
    )
