"""Arithmetic on shapes in an ONNX graph, done ahead of time: what it yields becomes a constant."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

# A tensor of sizes, of rank 0 or 1: an int where it is known, the name of a free dimension, or None.
Sizes = NDArray[Any]
MOST_SIZES = 64  # elements of a tensor that is looked at; shapes are shorter


def fold_shapes(proto: "onnx.ModelProto") -> None:
    """Replace, in place, computed shapes that are known by constants.

    A Reshape to a computed shape takes a constant one, if all but one of its sizes are known or copied from
    the input: 0 copies, -1 takes what is left. What computed them is left behind, without a consumer.
    """
    import onnx

    inferred = _inferred(proto)
    shapes, dtypes = _shapes(inferred), _dtypes(inferred)
    values = _evaluate(proto, shapes)
    constants = {tensor.name for tensor in proto.graph.initializer}
    for node in proto.graph.node:
        for place, name in enumerate(node.input):
            if name in constants or name not in values or name not in dtypes:
                continue
            if node.op_type == "Reshape" and place == 1:
                sizes = _reshape_target(values[name], shapes.get(node.input[0]))
            else:
                sizes = _integers(values[name])
            if sizes is None:
                continue
            node.input[place] = f"{name}/known/{'_'.join(map(str, sizes))}"
            if node.input[place] not in constants:
                constants.add(node.input[place])
                array = np.array(sizes, dtypes[name]).reshape(values[name].shape)
                proto.graph.initializer.append(onnx.numpy_helper.from_array(array, node.input[place]))


def known_shapes(proto: "onnx.ModelProto") -> dict[str, tuple[int | str | None, ...]]:
    """The shape of every tensor of the main graph, as far as it can be inferred."""
    return _shapes(_inferred(proto))


def _inferred(proto: "onnx.ModelProto") -> "onnx.GraphProto":
    import onnx

    return onnx.shape_inference.infer_shapes(proto, data_prop=True).graph


def _shapes(graph: "onnx.GraphProto") -> dict[str, tuple[int | str | None, ...]]:
    shapes: dict[str, tuple[int | str | None, ...]] = {
        tensor.name: tuple(tensor.dims) for tensor in graph.initializer
    }
    for value in [*graph.input, *graph.value_info, *graph.output]:
        if value.type.tensor_type.HasField("shape"):
            shapes[value.name] = tuple(
                dimension.dim_value if dimension.HasField("dim_value") else dimension.dim_param or None
                for dimension in value.type.tensor_type.shape.dim
            )
    return shapes


def _dtypes(graph: "onnx.GraphProto") -> dict[str, np.dtype[Any]]:
    import onnx

    return {
        value.name: np.dtype(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
        for value in graph.value_info
        if value.type.tensor_type.elem_type
    }


def _reshape_target(sizes: Sizes, source: Sequence[int | str | None] | None) -> list[int] | None:
    """The constant form of a shape to reshape to; None if more than one size stays unknown."""
    source = source or ()
    target = []
    for place, size in enumerate(sizes.tolist()):
        if isinstance(size, int) and size >= 0:
            target.append(size)
        elif isinstance(size, str) and place < len(source) and source[place] == size:
            target.append(0)
        else:
            target.append(-1)
    if target.count(-1) > 1:
        return None
    if target.count(-1) == 0 and target.count(0) == 1:  # plainer to read, and the same
        target[target.index(0)] = -1
    return target


def _evaluate(proto: "onnx.ModelProto", shapes: Mapping[str, Sequence[int | str | None]]) -> dict[str, Sizes]:
    """Compute every tensor that depends on shapes and constants alone; the nodes are in order."""
    import onnx

    values: dict[str, Sizes] = {}
    for tensor in proto.graph.initializer:
        kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        if len(tensor.dims) <= 1 and np.prod(tensor.dims) <= MOST_SIZES and np.dtype(kind).kind == "i":
            values[tensor.name] = onnx.numpy_helper.to_array(tensor).astype(object)
    for node in proto.graph.node:
        if node.op_type == "Shape" and node.input[0] in shapes:
            first, last = _attribute(node, "start", 0), _attribute(node, "end", None)
            values[node.output[0]] = _objects(shapes[node.input[0]][first:last])
        elif node.op_type in OPERATORS and all(name in values for name in node.input if name):
            operands = [values[name] for name in node.input if name]
            result = OPERATORS[node.op_type](node, operands)
            if result is not None and result.ndim <= 1 and result.size <= MOST_SIZES:
                values[node.output[0]] = result
    return values


def _objects(sizes: Iterable[Any]) -> Sizes:
    """An array of sizes as they are, where numpy would make text of numbers beside text."""
    listed = list(sizes)
    array = np.empty(len(listed), object)
    array[:] = listed
    return array


def _attribute(node: "onnx.NodeProto", name: str, default: Any) -> Any:  # noqa: ANN401  (whatever it holds)
    import onnx

    for attribute in node.attribute:
        if attribute.name == name:
            return onnx.helper.get_attribute_value(attribute)
    return default


def _integers(operand: Sizes) -> list[int] | None:
    values = operand.reshape(-1).tolist()
    return values if all(isinstance(value, int) for value in values) else None


def _gather(_: "onnx.NodeProto", operands: list[Sizes]) -> Sizes | None:
    data, indices = operands
    places = _integers(indices)
    if places is None or data.ndim != 1 or not all(-data.size <= place < data.size for place in places):
        return None
    return np.asarray(data[indices.astype(np.int64)], object)


def _slice(_: "onnx.NodeProto", operands: list[Sizes]) -> Sizes | None:
    bounds = [_integers(operand) for operand in operands[1:]]
    if operands[0].ndim != 1 or any(bound is None or len(bound) != 1 for bound in bounds):
        return None
    first, last = (bound[0] for bound in bounds[:2] if bound)
    step = bounds[3][0] if len(bounds) > 3 and bounds[3] else 1  # noqa: PLR2004  (data, starts, ends, axes, steps)
    return operands[0][slice(first, last, step)] if step > 0 else None


def _concat(_: "onnx.NodeProto", operands: list[Sizes]) -> Sizes | None:
    return np.concatenate(operands) if all(operand.ndim == 1 for operand in operands) else None


def _cast(node: "onnx.NodeProto", operands: list[Sizes]) -> Sizes | None:
    import onnx

    kind = onnx.helper.tensor_dtype_to_np_dtype(_attribute(node, "to", onnx.TensorProto.FLOAT))
    return operands[0] if np.dtype(kind).kind == "i" else None


def _product(node: "onnx.NodeProto", operands: list[Sizes]) -> Sizes | None:
    result: Any = 1
    for size in operands[0].reshape(-1).tolist():
        result = _times(result, size)
    shape = (1,) if _attribute(node, "keepdims", 1) else ()
    return _objects([result]).reshape(shape)


def _elementwise(
    operator: Callable[[Any, Any], Any],
) -> Callable[["onnx.NodeProto", list[Sizes]], Sizes | None]:
    def apply(_: "onnx.NodeProto", operands: list[Sizes]) -> Sizes | None:
        result = operands[0]
        for operand in operands[1:]:
            left, right = np.broadcast_arrays(result, operand)
            pairs = zip(left.reshape(-1).tolist(), right.reshape(-1).tolist(), strict=True)
            result = _objects(operator(*pair) for pair in pairs).reshape(left.shape)
        return result

    return apply


def _times(left: Any, right: Any) -> Any:  # noqa: ANN401  (a size)
    if 1 in (left, right):
        return right if left == 1 else left
    return left * right if isinstance(left, int) and isinstance(right, int) else None


def _both(operator: Callable[[int, int], int | None]) -> Callable[[Any, Any], Any]:
    return lambda left, right: (
        operator(left, right) if isinstance(left, int) and isinstance(right, int) else None
    )


OPERATORS: dict[str, Callable[["onnx.NodeProto", list[Sizes]], Sizes | None]] = {
    "Gather": _gather,
    "Slice": _slice,
    "Concat": _concat,
    "Cast": _cast,
    "ReduceProd": _product,
    "Identity": lambda _, operands: operands[0],
    "Squeeze": lambda _, operands: operands[0].reshape(()) if operands[0].size == 1 else None,
    "Unsqueeze": lambda _, operands: operands[0].reshape(1) if operands[0].ndim == 0 else None,
    "Add": _elementwise(_both(lambda left, right: left + right)),
    "Sub": _elementwise(_both(lambda left, right: left - right)),
    "Mul": _elementwise(_times),
    "Div": _elementwise(_both(lambda left, right: left // right if left >= 0 < right else None)),
    "Max": _elementwise(_both(max)),
}
