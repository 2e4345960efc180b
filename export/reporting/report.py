"""What the report of an export or a check says; `export.reporting.files` writes it down.

`report.json` is this structure, whose schema is docs/report.schema.json; docs/report.md explains it.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from export.environment import Machine, this_machine
from export.explaining.explanation import Explanation
from export.formats import Format
from export.manifest import Artifact, Conversion, DataInfo, Manifest, TensorInfo
from export.verdict import Verdict, worst

REPORT_SCHEMA_VERSION = 1


class Occasion(StrEnum):
    """What a report is of."""

    EXPORT = "export"
    PARITY = "parity"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceInfo:
    """What the artifacts were held to.

    Attributes:
        name: of its run or its file.
        sha256: of its content.
        custom_sha256: of the Python file with layers of the user's own that was trusted and run.
    """

    name: str
    sha256: str
    custom_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where the artifacts were made, run and timed.

    Attributes:
        machine: its hardware.
        packages: name to version.
        cpu_flags: instruction sets that integer kernels choose by.
    """

    machine: Machine
    packages: dict[str, str]
    cpu_flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that a report says; `report.json` is just this.

    Attributes:
        schema_version: of this structure.
        occasion: an export, or a check of what was there.
        model: its name.
        version: the published one; None if nothing was published, or a file on its own was checked.
        created: when, ISO 8601.
        verdict: on the whole, what the exit code says.
        reference: what the artifacts were held to.
        dataset: the samples that they ran on.
        inputs: of the model.
        outputs: of the model.
        labels: one text a class; none where there are no classes, or several outputs have their own.
        conversion: how the artifacts were made; None for a file on its own.
        required: formats without which nothing is published; of a check, all that were checked.
        device: what ran the artifacts, if it was another runtime than their formats' usual one; else empty.
        artifacts: one entry a format.
        explanations: by format, where the noise comes from; of those that were looked into.
        environment: where all that happened.
    """

    schema_version: int = REPORT_SCHEMA_VERSION
    occasion: Occasion
    model: str
    version: int | None
    created: str
    verdict: Verdict
    reference: ReferenceInfo
    dataset: DataInfo
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    labels: tuple[str, ...]
    required: tuple[Format, ...]
    device: str = ""
    conversion: Conversion | None = None
    artifacts: tuple[Artifact, ...]
    explanations: dict[Format, Explanation] = field(default_factory=dict)
    environment: Environment


def export_report(manifest: Manifest, required: tuple[Format, ...] = ()) -> Report:
    """The report of an export.

    Args:
        manifest: as published, or with version 0 if it was not.
        conversion: how the artifacts were made; None for a file on its own.
        required: formats without which nothing is published.
    """
    shipped = [artifact for artifact in manifest.artifacts if artifact.path is not None]
    complete = {artifact.format for artifact in shipped}.issuperset(required)
    source = manifest.source
    return Report(
        occasion=Occasion.EXPORT,
        model=manifest.model,
        version=manifest.version or None,
        created=manifest.created,
        verdict=worst(artifact.verdict for artifact in shipped) if complete else Verdict.FAIL,
        reference=ReferenceInfo(
            name=f"run {source.run}" if source.run else "a checkpoint without a run",
            sha256=source.checkpoint_sha256,
            custom_sha256=source.custom_sha256,
        ),
        dataset=manifest.dataset,
        inputs=manifest.inputs,
        outputs=manifest.outputs,
        labels=manifest.labels,
        required=required,
        conversion=manifest.conversion,
        artifacts=manifest.artifacts,
        environment=Environment(
            machine=this_machine(), packages=manifest.packages, cpu_flags=manifest.cpu_flags
        ),
    )
