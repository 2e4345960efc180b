"""Between arrays and tensors: known bytes, and everything that must be rejected."""

import numpy as np
import pytest

from export.manifest import DATATYPES, TensorInfo
from serving.codec import check_feed, decode, encode
from serving.errors import InvalidTensor
from serving.proto import inference_pb2 as pb

KNOWN_BYTES = [
    ("BOOL", [True, False], b"\x01\x00"),
    ("UINT8", [1, 255], b"\x01\xff"),
    ("UINT16", [1, 0x0203], b"\x01\x00\x03\x02"),
    ("UINT32", [0x01020304], b"\x04\x03\x02\x01"),
    ("UINT64", [2**64 - 1], b"\xff" * 8),
    ("INT8", [-1, -128], b"\xff\x80"),
    ("INT16", [-2], b"\xfe\xff"),
    ("INT32", [-2], b"\xfe\xff\xff\xff"),
    ("INT64", [1], b"\x01" + bytes(7)),
    ("FP16", [1.0, -2.0], b"\x00\x3c\x00\xc0"),
    ("FP32", [1.0], b"\x00\x00\x80\x3f"),
    ("FP64", [1.0], b"\x00\x00\x00\x00\x00\x00\xf0\x3f"),
    ("BF16", [1.0, -2.0], b"\x80\x3f\x00\xc0"),
    ("BYTES", [b"ab", b"", b"\xff"], b"\x02\x00\x00\x00ab\x00\x00\x00\x00\x01\x00\x00\x00\xff"),
]

IMAGE = TensorInfo(name="image", datatype="UINT8", shape=(-1, 2, 2), meaning="")
SCALE = TensorInfo(name="scale", datatype="FP32", shape=(-1,), meaning="")


def tensor(datatype="UINT8", shape=(1, 2, 2), name="image", **contents):
    made = pb.ModelInferRequest.InferInputTensor(name=name, datatype=datatype, shape=shape)
    if contents:
        made.contents.CopyFrom(pb.InferTensorContents(**contents))
    return made


def test_known_bytes_cover_every_datatype():
    assert [name for name, _, _ in KNOWN_BYTES] == list(DATATYPES)


@pytest.mark.parametrize(("datatype", "values", "content"), KNOWN_BYTES)
def test_encodes_known_bytes(datatype, values, content):
    request = pb.ModelInferRequest()
    encode({"x": np.array(values, DATATYPES[datatype])}, request.inputs, request.raw_input_contents)
    assert (request.inputs[0].name, request.inputs[0].datatype) == ("x", datatype)
    assert list(request.inputs[0].shape) == [len(values)]
    assert list(request.raw_input_contents) == [content]


@pytest.mark.parametrize(("datatype", "values", "content"), KNOWN_BYTES)
def test_decodes_known_bytes(datatype, values, content):
    array = decode([tensor(datatype, [len(values)])], [content])["image"]
    assert array.dtype == DATATYPES[datatype]
    assert array.tolist() == values


@pytest.mark.parametrize(
    ("datatype", "field", "values"),
    [
        ("BOOL", "bool_contents", [True, False]),
        ("INT8", "int_contents", [-128, 127]),
        ("INT16", "int_contents", [-32768, 1]),
        ("INT32", "int_contents", [-(2**31), 1]),
        ("INT64", "int64_contents", [-(2**63), 1]),
        ("UINT8", "uint_contents", [0, 255]),
        ("UINT16", "uint_contents", [0, 65535]),
        ("UINT32", "uint_contents", [0, 2**32 - 1]),
        ("UINT64", "uint64_contents", [0, 2**64 - 1]),
        ("FP32", "fp32_contents", [0.5, -2.0]),
        ("FP64", "fp64_contents", [0.1, -2.0]),
        ("BYTES", "bytes_contents", [b"", b"\xff\x00"]),
    ],
)
def test_decodes_typed_contents(datatype, field, values):
    array = decode([tensor(datatype, [2], **{field: values})], [])["image"]
    assert array.dtype == DATATYPES[datatype]
    assert array.tolist() == values


def test_encodes_any_memory_layout_alike():
    plain = np.arange(6, dtype=np.int16).reshape(2, 3)
    for array in (plain, np.asfortranarray(plain), plain.astype(">i2"), np.repeat(plain, 2, axis=1)[:, ::2]):
        request = pb.ModelInferRequest()
        encode({"x": array}, request.inputs, request.raw_input_contents)
        assert request.raw_input_contents[0] == plain.tobytes()


def test_encodes_every_kind_of_text_alike():
    texts = ["ab", "", "ü"]
    for array in (
        np.array(texts),
        np.array(texts, np.dtypes.StringDType()),
        np.array(texts, np.object_),
        np.array([text.encode() for text in texts]),
        np.array([b"ab", "", "ü"], np.object_),
    ):
        request = pb.ModelInferRequest()
        encode({"x": array}, request.inputs, request.raw_input_contents)
        assert request.inputs[0].datatype == "BYTES"
        assert decode(request.inputs, request.raw_input_contents)["x"].tolist() == [b"ab", b"", b"\xc3\xbc"]


def test_refuses_to_encode_what_is_no_text():
    for element, message in ((7, "'x' holds int in element 1"), ("\ud800", "half a surrogate pair")):
        request = pb.ModelInferRequest()
        with pytest.raises(InvalidTensor, match=message):
            encode({"x": np.array(["a", element], np.object_)}, request.inputs, request.raw_input_contents)
        assert not request.inputs


def test_refuses_to_encode_what_the_protocol_lacks():
    request = pb.ModelInferRequest()
    with pytest.raises(InvalidTensor, match="'x' is complex128, expected one of: BOOL"):
        encode({"x": np.zeros(1, np.complex128)}, request.inputs, request.raw_input_contents)


@pytest.mark.parametrize(
    ("tensors", "raw", "message"),
    [
        ([tensor()], [b"123"], r"'image' came with 3 bytes, expected 4 for UINT8 \[1, 2, 2\]"),
        ([tensor()], [], r"'image' came with 0 values, expected 4 for shape \[1, 2, 2\]"),
        ([tensor(), tensor(name="b")], [b"1234"], "1 raw contents came for 2 tensors"),
        ([tensor(), tensor()], [b"1234", b"1234"], "'image' came twice"),
        ([tensor("FP8")], [b"1234"], "'image' came as 'FP8', expected one of: BOOL, UINT8"),
        ([tensor("BF16")], [b"1234567"], r"'image' came with 7 bytes, expected 8 for BF16 \[1, 2, 2\]"),
        ([tensor("BYTES", [2])], [b"\1\0\0\0a"], "came with 5 bytes, which end in element 1 of 2: put each"),
        ([tensor("BYTES", [1])], [b"\1\0\0"], "which end in element 0 of 1"),
        ([tensor("BYTES", [1])], [b"\xff\xff\xff\xffab"], "which end in element 0 of 1"),
        ([tensor("BYTES", [1])], [b"\1\0\0\0ab"], "came with 6 bytes, expected 5 for its 1 elements"),
        ([tensor("BYTES", [0])], [b"\0\0\0\0"], "came with 4 bytes, expected 0 for its 0 elements"),
        ([tensor("BYTES", [2], bytes_contents=[b"a"])], [], "came with 1 values, expected 2 for shape"),
        ([tensor("BYTES", [1], int_contents=[1])], [], "came in int_contents, expected bytes_contents"),
        ([tensor("BYTES", [2**18 + 1])], [b""], "'image' came with element 262145 of BYTES: send fewer"),
        (
            [tensor("BYTES", [2**18], name="a"), tensor("BYTES", [1])],
            [bytes(2**20), bytes(4)],
            "'image' came with element 262145 of BYTES",
        ),
        ([tensor(shape=[-1, 2, 2])], [b"1234"], r"'image' came in shape \[-1, 2, 2\]"),
        (
            [tensor(shape=[2**62, 4])],
            [b""],
            r"\[4611686018427387904, 4\], expected at most 2147483648 el",
        ),
        ([tensor(shape=[0, 2**62, 2**62])], [b""], "expected at most 2147483648 elements"),
        ([tensor(shape=[0, 2**62, 2**62])], [], "expected at most 2147483648 elements"),
        (
            [tensor(shape=[1] * 100)],
            [b"1"],
            r"came in shape \[1, 1, .*\.\.\., expected at most 32 dim",
        ),
        ([tensor(shape=[1] * 100, uint_contents=[1])], [], "expected at most 32 dimensions"),
        ([tensor("BOOL", [2])], [b"\x01\x02"], "neither 0 nor 1"),
        ([tensor(uint_contents=[1, 2, 3, 4])], [b"1234"], "raw and with typed contents"),
        ([tensor(int_contents=[1, 2, 3, 4])], [], "came in int_contents, expected uint_contents for UINT8"),
        ([tensor(uint_contents=[1, 2, 3, 256])], [], "a value beyond UINT8"),
        ([tensor("FP16", [1], fp32_contents=[1])], [], "came typed, expected raw contents for FP16"),
        ([tensor("BF16", [1], fp32_contents=[1])], [], "came typed, expected raw contents for BF16"),
    ],
)
def test_rejects_tensors_that_contradict_themselves(tensors, raw, message):
    with pytest.raises(InvalidTensor, match=message):
        decode(tensors, raw)


def test_counts_the_rows_of_a_fitting_feed():
    feed = {"scale": np.zeros(3, np.float32), "image": np.zeros((3, 2, 2), np.uint8)}
    assert check_feed(feed, [IMAGE, SCALE], max_rows=3) == 3


@pytest.mark.parametrize(
    ("feed", "message"),
    [
        ({}, "inputs none came, expected 'image'"),
        ({"picture": np.zeros((1, 2, 2), np.uint8)}, "inputs 'picture' came, expected 'image'"),
        ({"image": np.zeros((1, 2, 2), np.int8)}, "'image' came as INT8, expected UINT8"),
        (
            {"image": np.zeros((1, 2, 3), np.uint8)},
            r"'image' came in shape \[1, 2, 3\], expected \[-1, 2, 2\]",
        ),
        ({"image": np.zeros((2, 2), np.uint8)}, r"'image' came in shape \[2, 2\], expected \[-1, 2, 2\]"),
        ({"image": np.zeros((0, 2, 2), np.uint8)}, "'image' came with 0 rows, expected 1 to 4"),
        ({"image": np.zeros((5, 2, 2), np.uint8)}, "'image' came with 5 rows, expected 1 to 4"),
    ],
)
def test_rejects_a_feed_that_the_model_does_not_take(feed, message):
    with pytest.raises(InvalidTensor, match=message):
        check_feed(feed, [IMAGE], max_rows=4)


def test_rejects_different_numbers_of_rows():
    feed = {"scale": np.zeros(2, np.float32), "image": np.zeros((3, 2, 2), np.uint8)}
    with pytest.raises(InvalidTensor, match=r"\('scale' 2, 'image' 3\), expected the same"):
        check_feed(feed, [IMAGE, SCALE], max_rows=4)


def test_arrays_have_the_shapes_that_numpy_could_just_hold():
    assert decode([tensor(shape=[1] * 32)], [b"1"])["image"].ndim == 32
    assert decode([tensor(shape=[0, 2**26])], [b""])["image"].shape == (0, 2**26)


def test_what_came_is_quoted_in_no_more_than_a_hundred_characters():
    long = "ü" * 20_000
    for tensors in (
        [tensor(name=long)],
        [tensor(long)],
        [tensor(shape=[7] * 20_000)],
        [tensor(name=long)] * 2,
    ):
        with pytest.raises(InvalidTensor) as caught:
            decode(tensors, [])
        assert len(str(caught.value)) < 400
    with pytest.raises(InvalidTensor) as caught:
        check_feed({f"{long}{i}": np.zeros(1, np.uint8) for i in range(50)}, [IMAGE], max_rows=4)
    assert len(str(caught.value)) < 400
