"""Scaling at the inputs moved into the weights behind it: W (s x + o) + b = (W s) x + (W o + b)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from export.converters.tflite_graph import ABSENT, TFLiteGraph

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

ARITHMETIC = ("MUL", "DIV", "ADD", "SUB")
MOST_SPREAD = 4.0  # between the scales of one kernel's inputs: more would cost small weights their digits
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Affine:
    """What has been done to an input so far, element by element.

    Attributes:
        scale, offset: of the shape of the tensor.
    """

    scale: Floats
    offset: Floats


@dataclass(frozen=True, slots=True)
class Fold:
    """Weights that take an input before its scaling.

    Attributes:
        operator: whose weights they are.
        kernel, bias: the new ones.
    """

    operator: "schema.OperatorT"
    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]


class _NotFoldableError(Exception):
    """An operator behind the input that cannot take over its scaling."""


def fold_preprocessing(graph: TFLiteGraph) -> None:
    """Fold what scales and shifts an input into the convolutions and dense layers behind it, where exact.

    Zero padding is what forbids it for an offset: zeros are added after the scaling. Where anything forbids
    it, the input is left as it is.
    """
    for tensor in graph.inputs().values():
        if graph.dtype(tensor) != "FLOAT32":
            continue
        shape = graph.shape(tensor)
        removed: list[schema.OperatorT] = []
        try:
            folds = _walk(graph, tensor, Affine(np.ones(shape), np.zeros(shape)), removed)
        except _NotFoldableError:
            continue
        if removed:
            _apply(graph, folds, removed)


def _walk(graph: TFLiteGraph, tensor: int, affine: Affine, removed: "list[schema.OperatorT]") -> list[Fold]:
    readers = graph.consumers(tensor)
    if tensor in graph.main.outputs or not readers:
        raise _NotFoldableError
    folds: list[Fold] = []
    for reader in readers:
        kind = graph.kind(reader)
        if kind in ARITHMETIC:
            removed.append(reader)
            folds += _walk(graph, reader.outputs[0], _arithmetic(graph, reader, tensor, affine), removed)
        elif kind == "RESHAPE":
            shape = graph.shape(reader.outputs[0])
            reshaped = Affine(affine.scale.reshape(shape), affine.offset.reshape(shape))
            folds += _walk(graph, reader.outputs[0], reshaped, removed)
        else:
            folds.append(_fold(graph, reader, tensor, affine))
    return folds


def _arithmetic(graph: TFLiteGraph, operator: "schema.OperatorT", tensor: int, affine: Affine) -> Affine:
    """The affine function after one more operator with a constant."""
    first = operator.inputs[0] == tensor
    constant = graph.constant(operator.inputs[1 if first else 0])
    if constant is None or operator.builtinOptions.fusedActivationFunction:
        raise _NotFoldableError
    shape = graph.shape(operator.outputs[0])
    scale, offset = affine.scale, affine.offset
    if scale.shape != shape:
        raise _NotFoldableError
    values = np.broadcast_to(constant.astype(np.float64), shape)
    match graph.kind(operator), first:
        case "MUL", _:
            return Affine(scale * values, offset * values)
        case "DIV", True:
            return Affine(scale / values, offset / values)
        case "ADD", _:
            return Affine(scale, offset + values)
        case "SUB", True:
            return Affine(scale, offset - values)
        case "SUB", False:
            return Affine(-scale, values - offset)
        case _:
            raise _NotFoldableError


def _fold(graph: TFLiteGraph, operator: "schema.OperatorT", tensor: int, affine: Affine) -> Fold:
    kind = graph.kind(operator)
    if kind not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED") or operator.inputs[0] != tensor:
        raise _NotFoldableError
    kernel = graph.constant(operator.inputs[1])
    if kernel is None:
        raise _NotFoldableError
    scale, offset = _per_feature(affine.scale), _per_feature(affine.offset)
    if abs(scale).max() > MOST_SPREAD * abs(scale).min():
        raise _NotFoldableError
    weights = kernel.astype(np.float64)
    if kind == "DEPTHWISE_CONV_2D":  # (1, height, width, outputs), the outputs of one input side by side
        repeats = weights.shape[-1] // len(scale)
        scale, offset = np.repeat(scale, repeats), np.repeat(offset, repeats)
        shift = (weights * offset).sum(axis=(0, 1, 2))
    else:  # (outputs, ..., inputs)
        shift = (weights * offset).reshape(len(weights), -1).sum(axis=1)
    if offset.any() and kind != "FULLY_CONNECTED" and _pads(graph, operator):
        raise _NotFoldableError
    bias = graph.constant(operator.inputs[2]) if len(operator.inputs) > 2 else None  # noqa: PLR2004  (input, weights, bias)
    before = np.zeros(len(shift)) if bias is None else bias.astype(np.float64)
    return Fold(operator, (weights * scale).astype(np.float32), (before + shift).astype(np.float32))


def _per_feature(values: Floats) -> Floats:
    """One value a feature of the last dimension, if they are alike in all others."""
    flat = values.reshape(-1, values.shape[-1])
    if (flat != flat[0]).any():
        raise _NotFoldableError
    first: Floats = flat[0]
    return first


def _pads(graph: TFLiteGraph, operator: "schema.OperatorT") -> bool:
    """Whether zeros are added around the picture."""
    same = operator.builtinOptions.padding == graph.schema.Padding.SAME
    return bool(same and graph.shape(operator.inputs[1])[1:3] != (1, 1))


def _apply(graph: TFLiteGraph, folds: list[Fold], removed: "list[schema.OperatorT]") -> None:
    for fold in folds:
        data, kernel, *_ = fold.operator.inputs
        bias = fold.operator.inputs[2] if len(fold.operator.inputs) > 2 else ABSENT  # noqa: PLR2004  (input, weights, bias)
        name = graph.name(bias) if bias != ABSENT else f"{graph.name(kernel)}/bias"
        weights = graph.add_constant(graph.name(kernel), fold.kernel)
        fold.operator.inputs = [data, weights, graph.add_constant(name, fold.bias)]
    for operator in removed:
        source = next(tensor for tensor in operator.inputs if graph.constant(tensor) is None)
        graph.replace(operator.outputs[0], source)
        graph.main.operators.remove(operator)
