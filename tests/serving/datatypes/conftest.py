"""Small models with inputs and outputs of any datatype, and a server of some of them."""

import onnx
import pytest
from onnx import TensorProto, helper

from export.manifest import TensorInfo

# ONNX's names of the protocol's datatypes.
ONNX_NAMES = {"FP16": "FLOAT16", "FP32": "FLOAT", "FP64": "DOUBLE", "BF16": "BFLOAT16", "BYTES": "STRING"}


def number(datatype):
    return getattr(TensorProto, ONNX_NAMES.get(datatype, datatype))


def infos(names, datatypes, shape, meaning):
    return tuple(
        TensorInfo(name=name, datatype=datatype, shape=shape, meaning=meaning)
        for name, datatype in zip(names, datatypes, strict=True)
    )


def value_of(info):
    return helper.make_tensor_value_info(info.name, number(info.datatype), ["n", "m"][: len(info.shape)])


@pytest.fixture(scope="session")
def publish_cast(publish_onnx):
    """Publish a model that turns each input `x<i>` into output `y<i>` of a datatype of its own."""

    def publish(folder, *pairs, outputs=("y0", "y1", "y2"), shape=(-1, -1), meaning="", **changes):
        taken = infos(
            [f"x{index}" for index in range(len(pairs))], [pair[0] for pair in pairs], shape, meaning
        )
        given = infos(outputs[: len(pairs)], [pair[1] for pair in pairs], shape, meaning)
        nodes = []
        for before, after in zip(taken, given, strict=True):
            names = [before.name], [after.name]
            if before.datatype == after.datatype:
                nodes.append(helper.make_node("Identity", *names))
            else:
                nodes.append(helper.make_node("Cast", *names, to=number(after.datatype)))
        graph = helper.make_graph(nodes, "cast", list(map(value_of, taken)), list(map(value_of, given)))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
        onnx.checker.check_model(model)
        return publish_onnx(folder, model.SerializeToString(), taken, given, **changes)

    return publish


@pytest.fixture(scope="session")
def echo_server(tmp_path_factory, publish_cast, start_server):
    """A server of models named by what they give back: `bytes`, `fp16`, `bf16`; also `scores` and `words`."""
    repository = tmp_path_factory.mktemp("echo")
    for datatype in ("BYTES", "FP16", "BF16"):
        publish_cast(repository / datatype.lower() / "1", (datatype, datatype))
    publish_cast(
        repository / "scores" / "1", ("FP32", "FP32"), ("FP16", "BYTES"), meaning="logits", labels="abc"
    )
    publish_cast(repository / "words" / "1", ("BYTES", "BYTES"), shape=(-1,), outputs=("probabilities",))
    return start_server(repository)
