"""Tensors of every datatype through the codec and a real session, and what is refused of them."""

import asyncio

import numpy as np
import pytest
from onnx import TensorProto, helper

from export.manifest import DATATYPES, TensorInfo
from serving.batcher import Batcher
from serving.codec import TYPED_FIELDS, check_feed, decode, encode
from serving.errors import InvalidTensor, ModelRefused
from serving.proto import inference_pb2 as pb
from serving.repository.loading import load_version
from serving.settings import ModelSettings

VALUES = {
    "BOOL": [[True, False], [False, True]],
    "BYTES": [[b"", b"a\0"], ["Zürich".encode(), b"b" * 300]],
    "FP16": [[0.5, -2.0], [65504.0, float("inf")]],
    "BF16": [[0.5, -2.0], [2.0**100, float("-inf")]],
    "FP32": [[0.5, -2.0], [2.0**100, float("inf")]],
    "FP64": [[0.1, -2.0], [2.0**1000, float("inf")]],
} | {
    name: [[np.iinfo(dtype).min, np.iinfo(dtype).max], [0, 1]]
    for name, dtype in DATATYPES.items()
    if dtype.kind in "iu"
}


def load(folder):
    """The one session of a version."""
    (session,) = load_version(folder, ModelSettings(max_batch_rows=4))
    return session


def raw_request(*arrays):
    request = pb.ModelInferRequest()
    encode({f"x{i}": array for i, array in enumerate(arrays)}, request.inputs, request.raw_input_contents)
    return request


def typed_request(array, datatype):
    request = pb.ModelInferRequest()
    tensor = request.inputs.add(name="x0", datatype=datatype, shape=array.shape)
    getattr(tensor.contents, TYPED_FIELDS[datatype]).extend(array.ravel().tolist())
    return request


async def answer(session, request):
    """What a client reads of the answer to a request."""
    feed = decode(request.inputs, request.raw_input_contents)
    check_feed(feed, session.manifest.inputs, max_rows=4)
    response = pb.ModelInferResponse()
    encode(await session.run(feed), response.outputs, response.raw_output_contents)
    return decode(response.outputs, response.raw_output_contents)


@pytest.mark.parametrize("datatype", DATATYPES)
async def test_comes_back_as_it_was_sent(tmp_path, publish_cast, datatype):
    session = load(publish_cast(tmp_path / "echo" / "1", (datatype, datatype)))
    array = np.array(VALUES[datatype], DATATYPES[datatype])
    requests = [raw_request(array), raw_request(np.asfortranarray(array))]
    if datatype in TYPED_FIELDS:
        requests.append(typed_request(array, datatype))
    assert len(requests) == (2 if datatype in ("FP16", "BF16") else 3)
    for request in requests:
        echoed = (await answer(session, request))["y0"]
        assert echoed.dtype == DATATYPES[datatype]
        assert echoed.tolist() == VALUES[datatype]


@pytest.mark.parametrize(
    ("taken", "given", "sent", "expected"),
    [
        ("BF16", "FP32", [[1.5, -2.0]], [[1.5, -2.0]]),
        ("FP32", "BF16", [[1.5, 1.001]], [[1.5, 1.0]]),
        ("FP16", "BYTES", [[1.5, -2.0]], [[b"1.5", b"-2"]]),
        ("BYTES", "FP32", [[b"1.5", "-2"]], [[1.5, -2.0]]),
        ("BYTES", "INT64", [[b"9007199254740993", b"-1"]], [[9007199254740993, -1]]),
    ],
)
async def test_one_datatype_in_another_out(tmp_path, publish_cast, taken, given, sent, expected):
    session = load(publish_cast(tmp_path / "cast" / "1", (taken, given)))
    answered = await answer(session, raw_request(np.array(sent, DATATYPES[taken])))
    assert answered["y0"].dtype == DATATYPES[given]
    assert answered["y0"].tolist() == expected


@pytest.mark.parametrize(
    "pairs",
    [
        [("BYTES", "BYTES"), ("BF16", "FP32"), ("FP16", "FP16")],
        [("BF16", "BF16"), ("FP32", "BYTES"), ("BOOL", "BOOL")],
    ],
)
async def test_several_datatypes_in_one_model(tmp_path, publish_cast, pairs):
    session = load(publish_cast(tmp_path / "mixed" / "1", *pairs))
    sent = [
        np.array([[b"1"], [b"0"]] if taken == "BYTES" else [[1], [0]], DATATYPES[taken]) for taken, _ in pairs
    ]
    answered = await answer(session, raw_request(*sent))
    assert [answered[f"y{i}"].dtype for i in range(3)] == [DATATYPES[given] for _, given in pairs]
    for array in answered.values():
        assert array.astype(np.float32).tolist() == [[1], [0]]


@pytest.mark.parametrize("datatype", ["BYTES", "BF16"])
async def test_rows_of_a_batch_come_back_to_their_own(tmp_path, publish_cast, datatype):
    session = load(publish_cast(tmp_path / "echo" / "1", (datatype, datatype)))
    texts = [[["a"], ["b"]], [["cc"]], [["d"], ["e"], ["f"]]]
    numbers = [[[1.0], [2.0]], [[3.0]], [[4.0], [5.0], [6.0]]]
    sent = texts if datatype == "BYTES" else numbers
    async with Batcher([session.run], ModelSettings(max_batch_rows=6)) as batcher:
        answers = await asyncio.gather(
            *(batcher.submit({"x0": np.array(rows, DATATYPES[datatype])}) for rows in sent)
        )
    assert [each.answer["y0"].tolist() for each in answers] == sent


async def test_a_batch_is_filled_up_with_text_that_the_model_can_read(tmp_path, publish_cast):
    session = load(publish_cast(tmp_path / "cast" / "1", ("BYTES", "FP32")))
    async with Batcher([session.run], ModelSettings(max_batch_rows=4, padding_buckets=(4,))) as batcher:
        batched = await batcher.submit({"x0": np.array([["1"], ["2"], ["3"]], np.object_)})
    assert batched.answer["y0"].tolist() == [[1.0], [2.0], [3.0]]


async def test_an_answer_lives_on_without_its_session(tmp_path, publish_cast):
    session = load(publish_cast(tmp_path / "echo" / "1", ("FP32", "BF16")))
    answered = [
        (await session.run({"x0": np.full((1, 100_000), value, np.float32)}))["y0"] for value in (1, 2, 3)
    ]
    del session
    assert [np.unique(array).tolist() for array in answered] == [[1], [2], [3]]


def test_what_onnxruntime_cannot_run_at_once_is_refused(tmp_path, publish_cast):
    folder = publish_cast(tmp_path / "mixed" / "1", ("BYTES", "BYTES"), ("BF16", "BF16"))
    with pytest.raises(ModelRefused, match=r"takes BYTES and gives BF16, .* cast its BF16 outputs to FP32"):
        load(folder)


@pytest.mark.parametrize(
    ("datatype", "name"), [("FLOAT8E4M3FN", "float8e4m3fn"), ("FLOAT8E5M2", "float8e5m2"), ("INT4", "int4")]
)
def test_what_the_protocol_has_no_datatype_for_is_refused(tmp_path, publish_onnx, datatype, name):
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("DequantizeLinear", ["x", "scale"], ["y"])],
        "narrow",
        [value("x", getattr(TensorProto, datatype), ["n", 2])],
        [value("y", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor("scale", TensorProto.FLOAT, [], [1.0])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    folder = publish_onnx(
        tmp_path / "narrow" / "1",
        model.SerializeToString(),
        (TensorInfo(name="x", datatype="INT8", shape=(-1, 2), meaning=""),),
        (TensorInfo(name="y", datatype="FP32", shape=(-1, 2), meaning=""),),
    )
    with pytest.raises(ModelRefused, match=rf"x is tensor\({name}\), for which the protocol has no datatype"):
        load(folder)


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ([b"ok", b"\xff"], "'x0' came with element 1 that is no UTF-8, expected text"),
        ([b"\xc3", b"\xa9"], "element 0 that is no UTF-8"),
        (["ok", "\ud800"], "half a surrogate pair in element 1"),
        ([b"ok", 5], "'x0' holds int in element 1, expected bytes or str"),
    ],
)
def test_a_model_takes_text_alone(elements, message):
    feed = {"x0": np.array([elements], np.object_)}
    with pytest.raises(InvalidTensor, match=message):
        check_feed(feed, [TensorInfo(name="x0", datatype="BYTES", shape=(-1, -1), meaning="")], max_rows=4)
