"""Take needless conversions out of a quantized graph: pixels are integers, and answers need not be."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

MOVING = ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten")  # the same numbers, elsewhere
FLOAT_ENDED = ("Gemm", "MatMul")  # whose integer kernels can answer in floats
PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
ZERO_POINT = 2  # which input of QuantizeLinear


def scores(proto: "onnx.ModelProto") -> list[str]:
    """The nodes between a product and a Softmax: next to a mask's huge numbers, 8 bits say nothing."""
    makers = {output: node for node in proto.graph.node for output in node.output}
    found: dict[str, None] = {}
    rest = [name for node in proto.graph.node if node.op_type == "Softmax" for name in node.input]
    while rest:
        node = makers.get(rest.pop())
        if node is not None and node.op_type not in PRODUCTS and node.name not in found:
            found[node.name] = None
            rest += node.input
    return list(found)


def feed_pixels(proto: "onnx.ModelProto") -> None:
    """Let uint8 pixels that are only scaled go into integer operators as they are.

    Cast → Mul by a scale → moves → QuantizeLinear, to uint8 and zero at zero, gives the pixels back when its
    scale is the Mul's. So the moves take the pixels themselves, and DequantizeLinear scales them.
    """
    import onnx

    graph = proto.graph
    makers = {output: node for node in graph.node for output in node.output}
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    inputs = {value.name: value.type.tensor_type.elem_type for value in graph.input}
    for quantize in [node for node in graph.node if node.op_type == "QuantizeLinear"]:
        found = _scaled_input(quantize, makers, constants)
        if found is None or inputs.get(found.name) != onnx.TensorProto.UINT8:
            continue
        name = found.name
        for move in found.moves:
            copied = onnx.NodeProto()
            copied.CopyFrom(move)
            copied.input[0], copied.output[0] = name, f"{quantize.name}/{move.name}"
            name = copied.output[0]
            graph.node.append(copied)
        scale = onnx.numpy_helper.from_array(found.scale.reshape(()), f"{quantize.name}/pixel_scale")
        graph.initializer.append(scale)
        for reader in graph.node:
            if reader.op_type == "DequantizeLinear" and reader.input[0] == quantize.output[0]:
                reader.input[0], reader.input[1] = name, scale.name


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scaled:
    """What a quantized tensor is made of: input `name` times `scale`, moved."""

    name: str
    scale: NDArray[Any]
    moves: "tuple[onnx.NodeProto, ...]"


def _scaled_input(
    quantize: "onnx.NodeProto", makers: "dict[str, onnx.NodeProto]", constants: dict[str, NDArray[Any]]
) -> _Scaled | None:
    zero = constants.get(quantize.input[ZERO_POINT]) if len(quantize.input) > ZERO_POINT else None
    if zero is None or zero.dtype != np.uint8 or zero.size != 1 or zero.item() != 0:
        return None
    moves: list[onnx.NodeProto] = []
    maker = makers.get(quantize.input[0])
    while maker is not None and maker.op_type in MOVING:
        moves.insert(0, maker)
        maker = makers.get(maker.input[0])
    if maker is None or maker.op_type != "Mul":
        return None
    scale = next((constants[name] for name in maker.input if name in constants), None)
    cast = next((makers[name] for name in maker.input if name in makers), None)
    if scale is None or scale.size != 1 or scale.item() <= 0 or cast is None or cast.op_type != "Cast":
        return None
    return _Scaled(name=cast.input[0], scale=scale, moves=tuple(moves))


def free_dense_outputs(proto: "onnx.ModelProto") -> None:
    """Leave what a Dense layer hands to float operators, or out of the model, as exact as it is computed.

    Gemm or MatMul → QuantizeLinear → DequantizeLinear, read by float operators alone, loses the last two.
    """
    graph = proto.graph
    outputs = {value.name for value in graph.output}
    readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            readers[name].append(node)
    for dense in [node for node in graph.node if node.op_type in FLOAT_ENDED]:
        pairs = list(_dequantized(dense, readers))
        ends = [name for name in pairs if name in outputs]
        in_integers = any(_is_quantized(user, readers) for name in pairs for user in readers[name])
        if not pairs or in_integers or len(ends) > 1 or dense.output[0] in outputs:
            continue
        name = ends[0] if ends else dense.output[0]
        for user in graph.node:
            for place, read in enumerate(user.input):
                if read in (dense.output[0], *pairs):
                    user.input[place] = name
            if user.op_type == "DequantizeLinear" and user.output[0] in pairs:
                user.output[0] = f"{user.name}/unused"
        dense.output[0] = name


def _dequantized(node: "onnx.NodeProto", readers: "dict[str, list[onnx.NodeProto]]") -> Iterator[str]:
    """The tensors that are a node's answer after QuantizeLinear and DequantizeLinear."""
    for quantize in readers[node.output[0]]:
        if quantize.op_type == "QuantizeLinear":
            for dequantize in readers[quantize.output[0]]:
                if dequantize.op_type == "DequantizeLinear":
                    yield dequantize.output[0]


def _is_quantized(node: "onnx.NodeProto", readers: "dict[str, list[onnx.NodeProto]]") -> bool:
    """Whether a node's answer is quantized too, so that onnxruntime computes it in integers."""
    return any(reader.op_type == "QuantizeLinear" for name in node.output for reader in readers[name])
