"""Networks with random weights, as ONNX files: their answers mean nothing, their runs cost as real ones."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CLASSES = 1000
SEED = 7


class _Graph:
    """Nodes and weights, one behind the other."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(SEED)

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: object) -> str:
        output = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, [*inputs], [output], **attributes))
        return output

    def constant(self, values: object) -> str:
        name = f"constant_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def convolution(
        self, value: str, inputs: int, outputs: int, *, size: int = 1, stride: int = 1, groups: int = 1
    ) -> str:
        """A convolution that keeps its input's variance, with the biases that a folded normalisation has."""
        shape = (outputs, inputs // groups, size, size)
        weights = self._random.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape).astype(np.float32)
        biases = self._random.normal(0, 0.1, outputs).astype(np.float32)
        pads = [(size - 1) // 2] * 2 + [size // 2] * 2
        return self.node(
            *("Conv", value, self.constant(weights), self.constant(biases)),
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=pads,
            group=groups,
        )

    def relu6(self, value: str) -> str:
        return self.node("Clip", value, self.constant(np.float32(0)), self.constant(np.float32(6)))

    def pixels(self) -> str:
        """UINT8 images, channels last, as values around zero, channels first."""
        values = self.node("Cast", "image", to=TensorProto.FLOAT)
        centred = self.node("Sub", values, self.constant(np.float32(127.5)))
        scaled = self.node("Mul", centred, self.constant(np.float32(1 / 127.5)))
        return self.node("Transpose", scaled, perm=[0, 3, 1, 2])

    def model(self, features: str, width: int, side: int) -> bytes:
        """Close with the mean over each channel, a dense layer and a softmax."""
        pooled = self.node("Flatten", self.node("GlobalAveragePool", features))
        weights = self._random.normal(0, 1 / np.sqrt(width), (width, CLASSES)).astype(np.float32)
        self.node("MatMul", pooled, self.constant(weights), output="logits")
        self.node("Softmax", "logits", output="probabilities", axis=-1)
        value = helper.make_tensor_value_info
        images = value("image", TensorProto.UINT8, ["n", side, side, 3])
        scores = [value(name, TensorProto.FLOAT, ["n", CLASSES]) for name in ("logits", "probabilities")]
        graph = helper.make_graph(self.nodes, "network", [images], scores, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


def mobile_network(side: int) -> bytes:
    """Inverted residuals as those of MobileNetV2 (Sandler et al., 2018, table 2)."""
    graph = _Graph()
    value, width = graph.relu6(graph.convolution(graph.pixels(), 3, 32, size=3, stride=2)), 32
    blocks = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2)]
    for expansion, outputs, repeats, first_stride in [*blocks, (6, 320, 1, 1)]:
        for number in range(repeats):
            stride, inner, entry = (1 if number else first_stride), width * expansion, value
            if expansion > 1:
                value = graph.relu6(graph.convolution(value, width, inner))
            value = graph.relu6(graph.convolution(value, inner, inner, size=3, stride=stride, groups=inner))
            value = graph.convolution(value, inner, outputs)
            if stride == 1 and width == outputs:
                value = graph.node("Add", entry, value)
            width = outputs
    value = graph.relu6(graph.convolution(value, width, 1280))
    return graph.model(value, 1280, side)


def residual_network(side: int) -> bytes:
    """Bottleneck residuals as those of ResNet-50 (He et al., 2015, table 1)."""
    graph = _Graph()
    value = graph.node("Relu", graph.convolution(graph.pixels(), 3, 64, size=7, stride=2))
    value = graph.node("MaxPool", value, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    width = 64
    for inner, repeats, first_stride in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)]:
        for number in range(repeats):
            stride, outputs, entry = (1 if number else first_stride), 4 * inner, value
            value = graph.node("Relu", graph.convolution(value, width, inner))
            value = graph.node("Relu", graph.convolution(value, inner, inner, size=3, stride=stride))
            value = graph.convolution(value, inner, outputs)
            if width != outputs:
                entry = graph.convolution(entry, width, outputs, stride=stride)
            # So that the values neither grow nor vanish with the depth.
            share = graph.constant(np.float32(np.sqrt(0.5)))
            value = graph.node("Relu", graph.node("Mul", graph.node("Add", entry, value), share))
            width = outputs
    return graph.model(value, width, side)
