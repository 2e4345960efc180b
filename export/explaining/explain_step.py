"""The step that explains a candidate: trace both models on the same few samples, compare layer by layer."""

from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from export.errors import SourceError
from export.explaining.explanation import Explanation, explain
from export.explaining.tracing import Trace, trace_keras, trace_onnx, trace_tflite
from export.formats import FORMATS, Family, Format
from export.reference import Reference, ReferenceKind, ReferenceModel
from export.runner import Feed
from export.sessions import SessionSettings
from export.source import load_checkpoint
from export.verdict import Comparison

SAMPLES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainOrder:
    """Explain one artifact.

    Attributes:
        model: what it is held to.
        path: of the artifact.
        format: its own.
        reference: the folder of the samples.
        settings: for ONNX, of the session.
        rows: the samples to trace.
    """

    model: ReferenceModel
    path: Path
    format: Format
    reference: Path
    settings: SessionSettings
    rows: tuple[int, ...]


def rows_to_trace(comparison: Comparison | None, count: int) -> tuple[int, ...]:
    """Samples that tell most: those whose answers flipped, then the first ones, 64 in all."""
    flipped = (
        sorted({flip.index for output in comparison.outputs for flip in output.flips}) if comparison else []
    )
    others = [row for row in range(min(count, SAMPLES)) if row not in set(flipped)]
    return tuple((flipped[: SAMPLES // 2] + others)[:SAMPLES])


def explain_artifact(order: ExplainOrder) -> Explanation:
    """Find the layer where an artifact leaves the reference.

    Raises:
        SourceError: this kind of reference or artifact cannot be traced.
    """
    samples = Reference.open(order.reference).feed
    feed = {name: array[list(order.rows)] for name, array in samples.items()}
    spec = FORMATS[order.format]
    match spec.family:
        case Family.SAVED_MODEL:
            raise SourceError("a SavedModel's layers cannot be looked into: explain an ONNX or TFLite file")
        case Family.ONNX:
            candidate = trace_onnx(order.path, feed, order.settings)
        case Family.TFLITE:
            candidate = trace_tflite(order.path, feed, reference_kernels=spec.integer)
        case family:
            assert_never(family)
    return explain(_trace_reference(order.model, feed), candidate, spec.tier)


def _trace_reference(model: ReferenceModel, feed: Feed) -> Trace:
    match model.kind:
        case ReferenceKind.KERAS:
            return trace_keras(load_checkpoint(model.path, model.custom), feed)
        case ReferenceKind.ONNX:
            return trace_onnx(model.path, feed, SessionSettings())
        case ReferenceKind.SAVED_MODEL:
            raise SourceError("a SavedModel's layers cannot be looked into: give the run or .keras file")
        case kind:
            assert_never(kind)
