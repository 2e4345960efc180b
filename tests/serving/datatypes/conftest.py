"""Small models with inputs and outputs of any datatype, and a server of some of them."""

import onnx
import pytest
from onnx import TensorProto, helper

from export.manifest import TensorInfo

# ONNX's names of the protocol's datatypes.
ONNX_NAMES = {"FP16": "FLOAT16", "FP32": "FLOAT", "FP64": "DOUBLE", "BF16": "BFLOAT16", "BYTES": "STRING"}


def number(datatype):
    return getattr(TensorProto, ONNX_NAMES.get(datatype, datatype))


@pytest.fixture(scope="session")
def publish_cast(publish_onnx):
    """Publish a model that turns each input `x<i>`, [-1, -1], into output `y<i>` of a datatype of its own."""

    def publish(folder, *pairs, meaning="", **changes):
        tensors = {"x": [], "y": []}
        infos = {"x": [], "y": []}
        nodes = []
        for index, pair in enumerate(pairs):
            for letter, datatype in zip("xy", pair, strict=True):
                name = f"{letter}{index}"
                tensors[letter].append(helper.make_tensor_value_info(name, number(datatype), ["n", "m"]))
                infos[letter].append(
                    TensorInfo(name=name, datatype=datatype, shape=(-1, -1), meaning=meaning)
                )
            names = [f"x{index}"], [f"y{index}"]
            same = pair[0] == pair[1]
            node = helper.make_node("Identity", *names)
            nodes.append(node if same else helper.make_node("Cast", *names, to=number(pair[1])))
        graph = helper.make_graph(nodes, "cast", tensors["x"], tensors["y"])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
        onnx.checker.check_model(model)
        return publish_onnx(
            folder, model.SerializeToString(), tuple(infos["x"]), tuple(infos["y"]), **changes
        )

    return publish


@pytest.fixture(scope="session")
def echo_server(tmp_path_factory, publish_cast, start_server):
    """A server of models named by what they give back: `bytes`, `fp16`, `bf16`; and `scores`, with labels."""
    repository = tmp_path_factory.mktemp("echo")
    for datatype in ("BYTES", "FP16", "BF16"):
        publish_cast(repository / datatype.lower() / "1", (datatype, datatype))
    publish_cast(
        repository / "scores" / "1", ("FP32", "FP32"), ("FP16", "BYTES"), meaning="logits", labels="abc"
    )
    return start_server(repository)
