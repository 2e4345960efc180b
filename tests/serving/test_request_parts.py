"""A request with more rows than pay at once runs in parts, where nobody said which sizes are to be run."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from export.manifest import TensorInfo
from serving.pace import Pace
from serving.repository.loading import load_version
from serving.settings import ModelSettings

ROWS = np.arange(5, dtype=np.float32)[:, None]


@pytest.fixture(scope="module")
def counting(tmp_path_factory, publish_onnx):
    """Open a model that adds a hundred times the number of rows of its run to each."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "m"]) for name in "xy"]
    nodes = [
        helper.make_node("Shape", ["x"], ["rows"], end=1),
        helper.make_node("Cast", ["rows"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["number", "hundred"], ["hundreds"]),
        helper.make_node("Add", ["x", "hundreds"], ["y"]),
    ]
    hundred = helper.make_tensor("hundred", TensorProto.FLOAT, [], [100.0])
    graph = helper.make_graph(nodes, "counting", values[:1], values[1:], [hundred])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    repository = tmp_path_factory.mktemp("counting")

    def opened(width, **settings):
        folder = repository / f"wide{width}" / "1"
        if not folder.exists():
            infos = [TensorInfo(name=name, datatype="FP32", shape=(-1, width), meaning="") for name in "xy"]
            publish_onnx(folder, model.SerializeToString(), infos[:1], infos[1:])
        checked = ModelSettings(**settings)
        (session,) = load_version(folder, checked)
        session.keep_to(Pace(batch_rows=2, batch_s=1.0, inline_rows=0, gain_s=0.0), checked)
        return session

    return opened


async def test_the_parts_are_of_nearly_the_same_size_and_keep_the_order(counting):
    session = counting(1)
    for count, sizes in ((5, [1, 2, 2, 2, 2]), (4, [2] * 4), (3, [1, 2, 2]), (2, [2, 2]), (1, [1])):
        answer = await session.run({"x": ROWS[:count]})
        assert answer["y"][:, 0].tolist() == [100 * size + row for row, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("width", "settings"),
    [(1, {"batch_rows": 2}), (1, {"padding_buckets": (2, 8)}), (-1, {})],
)
async def test_one_whose_sizes_were_set_or_whose_answers_may_differ_in_shape_runs_whole(
    counting, width, settings
):
    answer = await counting(width, **settings).run({"x": ROWS})
    assert answer["y"][:, 0].tolist() == (ROWS[:, 0] + 500).tolist()


async def test_a_short_run_stays_whole(counting):
    session = counting(1)
    session.keep_to(Pace(batch_rows=2, batch_s=1.0, inline_rows=5, gain_s=0.0), ModelSettings())
    assert (await session.run({"x": ROWS}))["y"][0, 0] == 500


def test_what_may_be_of_any_length_is_never_taken_to_be_short(counting):
    pace = Pace(batch_rows=64, batch_s=0.0001, inline_rows=64, gain_s=0.0)
    told = {}
    for width in (1, -1):
        session = counting(width)
        session.keep_to(pace, ModelSettings())
        told[width] = (session.runs_inline(1), session.at_once is not None)
        session.keep_to(Pace(batch_rows=64, batch_s=0.01, inline_rows=0, gain_s=0.0), ModelSettings())
        told[width] += (session.ahead,)
    assert told == {1: (True, True, True), -1: (False, False, False)}
