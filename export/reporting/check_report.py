"""The report of a check of what was already there."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from export.check import Check, Target
from export.environment import cpu_flags, package_versions, this_machine
from export.explaining.explanation import Explanation
from export.formats import Format
from export.manifest import Artifact, DataInfo
from export.reference import ReferenceModel
from export.reporting.report import Environment, Occasion, ReferenceInfo, Report
from export.verdict import worst
from training.datasets import Dataset


def check_report(
    target: Target,
    name: Path,
    model: ReferenceModel,
    dataset: Dataset,
    check: Check,
    artifacts: Sequence[Artifact],
    explanations: Mapping[Format, Explanation],
    *,
    device: str = "",
) -> Report:
    """What a check came to.

    Args:
        target: what was checked.
        name: as it was named.
        model: the reference.
        dataset: its test split was compared.
        check: the reference that has run.
        artifacts: with their verdicts.
        explanations: of those that were looked into.
        device: what ran them, if it was another runtime than usual.
    """
    manifest = target.manifest
    return Report(
        occasion=Occasion.PARITY,
        model=manifest.model if manifest else name.name,
        version=manifest.version if manifest else None,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        verdict=worst(artifact.verdict for artifact in artifacts),
        reference=ReferenceInfo(
            name=str(model.path),
            sha256=model.sha256,
            custom_sha256=model.custom.sha256 if model.custom else None,
        ),
        dataset=DataInfo(name=dataset.source, sha256=dataset.sha256, samples=len(dataset.test)),
        inputs=check.prepared.inputs,
        outputs=check.prepared.outputs,
        labels=check.prepared.labels,
        required=tuple(artifact.format for artifact in artifacts),
        device=device,
        conversion=manifest.conversion if manifest else None,
        artifacts=tuple(artifacts),
        explanations=dict(explanations),
        environment=Environment(machine=this_machine(), packages=package_versions(), cpu_flags=cpu_flags()),
    )
