"""Make the graph that a converter wrote as plain as the model: fewer operators, the same results."""

import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from export.converters.onnx_names import (
    all_nodes,
    canonicalize,
    captured,
    layer_path,
    name_dimensions,
    subgraphs,
    traced_path,
)
from export.converters.onnx_shapes import fold_shapes, known_shapes

if TYPE_CHECKING:
    import onnx

ROUNDS = 5  # each pass may open the way for another; two or three are the rule
IR_VERSION = 8  # the oldest that the opset allows, for the sake of old runtimes
STATES = {"LSTM": (5, 6), "GRU": (5,), "RNN": (5,)}  # which inputs are initial states, zero when left out
SHAPING = ("Cast", "Expand", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")


def clean(proto: "onnx.ModelProto", layers: Iterable[str]) -> "onnx.ModelProto":
    """Fold what is constant, remove what does nothing, and name everything by the Keras layers.

    Args:
        proto: as tf2onnx wrote it; it is changed.
        layers: names of all Keras layers of the model.

    Returns:
        A model of standard operators that computes the same; inputs and outputs have their names, the first
        dimension `batch`.
    """
    canonicalize(proto, traced_path(layers))
    name_dimensions(proto)
    path = layer_path(proto)
    for _ in range(ROUNDS):
        before = Counter(node.op_type for node in proto.graph.node)
        fold_shapes(proto)
        drop_zero_states(proto)
        drop_empty_inputs(proto)
        drop_flatten_transposes(proto)
        canonicalize(proto, path)
        proto = fold_constants(proto)
        canonicalize(proto, path)
        if Counter(node.op_type for node in proto.graph.node) == before:
            break
    name_dimensions(proto)
    _fix_header(proto)
    return proto


def finish(proto: "onnx.ModelProto", source: Path) -> None:
    """Bring a file that was made from a cleaned one into the same order, names and header.

    Args:
        proto: what a converter made of it; it is changed.
        source: the cleaned file.
    """
    import onnx

    cleaned = onnx.load(source)
    canonicalize(proto, layer_path(cleaned))
    proto.graph.name = cleaned.graph.name
    _fix_header(proto)


def fold_constants(proto: "onnx.ModelProto") -> "onnx.ModelProto":
    """Let onnxruntime fold constants, fuse standard operators and move Transposes, all in standard ONNX."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Basic: what holds on every device. The levels above it write operators that only onnxruntime knows.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    with tempfile.TemporaryDirectory(prefix="keraport-") as folder:
        path = Path(folder) / "optimized.onnx"
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return onnx.load(path)


def drop_zero_states(proto: "onnx.ModelProto") -> None:
    """Leave out initial states that are zeros: recurrent operators start with zeros by themselves."""
    makers = {output: node for node in proto.graph.node for output in node.output}
    tensors = {tensor.name: tensor for tensor in proto.graph.initializer}

    def zero(name: str) -> bool:
        if name in tensors:
            return not _array(tensors[name]).any()
        node = makers.get(name)
        if node is None or node.op_type not in (*SHAPING, "Concat", "ConstantOfShape"):
            return False
        if node.op_type == "ConstantOfShape":
            return not any(_array(attribute.t).any() for attribute in node.attribute)
        return all(zero(part) for part in (node.input if node.op_type == "Concat" else node.input[:1]))

    for node in proto.graph.node:
        for place in STATES.get(node.op_type, ()):
            if place < len(node.input) and zero(node.input[place]):
                node.input[place] = ""


def drop_empty_inputs(proto: "onnx.ModelProto") -> None:
    """Leave out Resize's region and scales where they are tensors without elements."""
    empty = {tensor.name for tensor in proto.graph.initializer if 0 in tensor.dims}
    for node in proto.graph.node:
        if node.op_type == "Resize":
            for place, name in enumerate(node.input):
                if name in empty:
                    node.input[place] = ""


def drop_flatten_transposes(proto: "onnx.ModelProto") -> None:
    """Reorder a Dense layer's weights instead of the activations that are flattened before it.

    Transpose → Reshape to (batch, features) → MatMul or Gemm with constant weights, each read by the next
    alone, needs no Transpose when the weights' rows are in the order of the untransposed features.
    """
    shapes = known_shapes(proto)
    makers = {output: node for node in proto.graph.node for output in node.output}
    tensors = {tensor.name: tensor for tensor in proto.graph.initializer}
    uses = Counter(name for node in proto.graph.node for name in node.input)
    uses.update(value.name for value in proto.graph.output)
    uses.update(name for node in proto.graph.node for graph in subgraphs(node) for name in captured(graph))
    for node in proto.graph.node:
        if node.op_type not in ("MatMul", "Gemm") or node.input[1] not in tensors:
            continue
        reshape = makers.get(node.input[0])
        if reshape is None or reshape.op_type != "Reshape" or reshape.input[1] not in tensors:
            continue
        transpose = makers.get(reshape.input[0])
        if transpose is None or transpose.op_type != "Transpose":
            continue
        alone = all(uses[name] == 1 for name in (node.input[0], node.input[1], reshape.input[0]))
        sizes = shapes.get(transpose.input[0], ())[1:]
        if alone and sizes and all(isinstance(size, int) for size in sizes):
            known = [size for size in sizes if isinstance(size, int)]
            if shapes.get(node.input[0], ())[1:] == (int(np.prod(known)),):
                _move_order(node, reshape, transpose, tensors[node.input[1]], known)


def _move_order(
    dense: "onnx.NodeProto",
    reshape: "onnx.NodeProto",
    transpose: "onnx.NodeProto",
    weights: "onnx.TensorProto",
    sizes: list[int],
) -> None:
    import onnx

    attributes = {found.name: onnx.helper.get_attribute_value(found) for found in dense.attribute}
    permutation = [axis - 1 for axis in transpose.attribute[0].ints]
    if permutation[0] != -1 or attributes.get("transA"):
        return
    matrix = _array(weights)
    rows = matrix.T if attributes.get("transB") else matrix
    ordered = rows.reshape([sizes[axis] for axis in permutation[1:]] + [-1])
    inverse = np.argsort(permutation[1:])
    rows = ordered.transpose([*inverse, len(sizes)]).reshape(rows.shape)
    matrix = np.ascontiguousarray(rows.T if attributes.get("transB") else rows)
    weights.CopyFrom(onnx.numpy_helper.from_array(matrix, weights.name))
    reshape.input[0] = transpose.input[0]


def _array(tensor: "onnx.TensorProto") -> "np.ndarray[tuple[int, ...], np.dtype[np.generic]]":
    import onnx

    return onnx.numpy_helper.to_array(tensor)


def _fix_header(proto: "onnx.ModelProto") -> None:
    """Leave nothing in the file that tells of the machine or of the libraries that wrote it."""
    used = {node.domain for node in all_nodes(proto.graph)} | {""}
    kept = sorted((found.domain, found.version) for found in proto.opset_import if found.domain in used)
    del proto.opset_import[:]
    for domain, version in kept:
        proto.opset_import.add(domain=domain, version=version)
    proto.ir_version = IR_VERSION
    proto.producer_name, proto.producer_version, proto.domain, proto.doc_string = "keraport", "", "", ""
    proto.graph.doc_string = ""
