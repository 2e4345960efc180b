"""One artifact's verdict: run it on the reference's samples, compare, and bind the result to the bytes."""

from dataclasses import replace
from pathlib import Path

from export.errors import first_line
from export.formats import FORMATS, Format
from export.manifest import Artifact, Binding, content_bytes, content_sha256
from export.parity import TargetKind, Targets, compare
from export.reference import Reference
from export.runners import open_runner
from export.sessions import SessionSettings
from export.verdict import Comparison, Verdict

PROBES = (1, 7)  # batch sizes beside the runner's own that a dynamic batch must answer alike


def judge(
    path: Path,
    kind: Format,
    reference: Reference,
    settings: SessionSettings,
    margin_points: float | None = None,
) -> Artifact:
    """Run an artifact on the reference's samples and give it a verdict.

    Args:
        path: of the artifact, named as a version names it.
        kind: its format.
        reference: what it is held to.
        settings: for ONNX, of the session.
        margin_points: instead of the tier's margin.
    """
    spec = FORMATS[kind]
    sha256 = content_sha256(path)
    try:
        comparison = _compare(path, kind, reference, settings, margin_points)
    except Exception as error:  # noqa: BLE001  (whatever a runtime raises, this artifact does not run)
        reason = f"it does not run: {first_line(error)}"
        comparison = Comparison(verdict=Verdict.FAIL, reason=reason, tier=spec.tier, samples=0)
    return Artifact(
        format=kind,
        precision=spec.precision,
        path=path.name,
        bytes=content_bytes(path),
        sha256=sha256,
        verdict=comparison.verdict,
        reason=comparison.reason,
        comparison=comparison,
        binding=Binding(
            artifact_sha256=sha256, reference_sha256=reference.sha256, data_sha256=reference.data_sha256
        ),
        session=settings if kind is Format.ONNX else None,
    )


def _compare(
    path: Path,
    kind: Format,
    reference: Reference,
    settings: SessionSettings,
    margin_points: float | None,
) -> Comparison:
    tier = FORMATS[kind].tier
    targets = {}
    if reference.labels is not None:
        targets[""] = Targets(kind=TargetKind.CLASS, values=reference.labels)
    with open_runner(path, kind, settings) as runner:
        answer = runner.run(reference.feed)
        comparison = compare(
            reference.answer, answer, targets=targets, tier=tier, margin_points=margin_points
        )
        if comparison.verdict is Verdict.FAIL or not FORMATS[kind].dynamic_batch:
            return comparison
        for size in PROBES:
            probe = runner.run({name: array[:size] for name, array in reference.feed.items()})
            rows = {name: array[:size] for name, array in reference.answer.items()}
            result = compare(rows, probe, targets={}, tier=tier)
            if result.verdict is Verdict.FAIL:
                reason = f"in a batch of {size}: {result.reason}"
                return replace(comparison, verdict=Verdict.FAIL, reason=reason)
    return comparison
