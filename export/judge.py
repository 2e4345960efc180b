"""One artifact's verdict: run it on the reference's samples, compare, and bind the result to the bytes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from export.errors import first_line
from export.formats import FORMATS, Family, Format, FormatSpec, Tier
from export.manifest import Artifact, Binding, content_bytes, content_sha256
from export.parity.compare import compare
from export.reference import Reference
from export.runner import Answer, BrokenRuntimeError, Runner
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
    opening: Callable[[], Runner] | None = None,
) -> Artifact:
    """Run an artifact on the reference's samples and give it a verdict.

    Args:
        path: of the artifact, named as a version names it.
        kind: its format.
        reference: what it is held to.
        settings: for ONNX, of the session.
        margin_points: instead of the tier's margin.
        opening: opens it in another runtime than the format's usual one.

    Raises:
        BrokenRuntimeError: that runtime does not work here.
    """
    spec = FORMATS[kind]
    sha256 = content_sha256(path)
    try:
        with opening() if opening else open_runner(path, kind, settings) as runner:
            comparison = judge_runner(runner, spec, reference, margin_points)
    except BrokenRuntimeError:
        raise
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
        session=settings if spec.family is Family.ONNX else None,
    )


def judge_runner(
    runner: Runner, spec: FormatSpec, reference: Reference, margin_points: float | None = None
) -> Comparison:
    """Run a candidate, also in batches of other sizes where it promises any, and compare.

    Args:
        runner: of the candidate.
        spec: of its format.
        reference: what it is held to.
        margin_points: instead of the tier's margin.
    """
    answer = runner.run(reference.feed)
    comparison = compare(
        reference.answer, answer, targets=reference.targets, tier=spec.tier, margin_points=margin_points
    )
    if comparison.verdict is Verdict.FAIL or not spec.dynamic_batch:
        return comparison
    for size in PROBES:
        fault = _probe(runner, spec, reference, answer, size)
        if fault is not None:
            return replace(comparison, verdict=Verdict.FAIL, reason=f"in a batch of {size}: {fault}")
    return comparison


def _probe(runner: Runner, spec: FormatSpec, reference: Reference, answer: Answer, size: int) -> str | None:
    """Why a candidate in a batch of this size differs from itself in larger ones; None if it does not."""
    probe = runner.run({name: array[:size] for name, array in reference.feed.items()})
    rows = {name: array[:size] for name, array in answer.items()}
    tier = Tier.LOSSLESS if spec.tier is Tier.LOSSLESS else Tier.HALF
    result = compare(rows, probe, targets={}, tier=tier)
    return result.reason if result.verdict is Verdict.FAIL else None


def failed(path: Path, kind: Format, reason: str, log: str = "") -> Artifact:
    """The entry of an artifact whose run crashed or hung."""
    return Artifact(
        format=kind,
        precision=FORMATS[kind].precision,
        path=path.name,
        bytes=content_bytes(path),
        sha256=content_sha256(path),
        verdict=Verdict.FAIL,
        reason=reason,
        log=log,
    )
