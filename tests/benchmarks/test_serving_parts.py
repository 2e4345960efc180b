"""The parts of the serving benchmark that its figures rest on."""

import json

import numpy as np
import pytest

from benchmarks.serving.answers import check, message_of
from benchmarks.serving.body import framed, infer_request
from benchmarks.serving.errors import BenchmarkError
from benchmarks.serving.h2load import parse
from benchmarks.serving.plan import Plan
from benchmarks.serving.summary import ratio, summary
from benchmarks.serving.wires import Wire
from serving.proto import inference_pb2 as pb

OUTPUT = """finished in 3.00s, 2.00 req/s, 1.25KB/s
requests: 7 total, 7 started, 6 done, 6 succeeded, 1 failed, 0 errored, 0 timeout
status codes: 6 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 1.25KB (1280) total, 100B (100) headers (space savings 96.26%), 888B (888) data
"""


def test_a_grpc_body_is_the_prefix_and_the_message():
    request = infer_request("digits", (28, 28, 1), 2)
    body = Wire.OPEN_INFERENCE.body(request)
    assert body[:5] == b"\0" + len(request.message).to_bytes(4, "big")
    message = pb.ModelInferRequest.FromString(body[5:])
    assert message.model_name == "digits"
    assert list(message.inputs[0].shape) == [2, 28, 28, 1]
    assert message.raw_input_contents[0] == request.images.tobytes()


def test_requests_are_the_same_for_every_server():
    once, again = (infer_request("digits", (28, 28, 1), 3) for _ in range(2))
    assert once.message == again.message
    assert json.loads(Wire.JSON.body(once)).keys() == {"pixels"}


def test_bentoml_is_asked_in_its_own_messages():
    request = infer_request("digits", (2, 2, 1), 1)
    # api_name = 1 and serialized_bytes = 2 of its Request.
    assert Wire.BENTOML.message(request) == b"\x0a\x07predict\x12\x04" + request.images.tobytes()
    long = Wire.BENTOML.message(infer_request("digits", (10, 30, 1), 1))
    assert long[9:12] == b"\x12\xac\x02"  # 300 as a varint


def test_bentoml_answers_floats_in_an_array_of_its_own():
    probabilities = np.array([[0.25, 0.75]], np.float32)
    floats = b"\x1a\x08" + probabilities.tobytes()  # float_values = 3, after dtype = 1 and shape = 2
    array = b"\x08\x01\x12\x02\x01\x02" + floats
    answer = Wire.BENTOML.answer(b"\x0a" + bytes([len(array)]) + array, (1, 2))
    np.testing.assert_array_equal(answer["probabilities"], probabilities)


def test_an_answer_that_is_right_passes_and_one_that_is_wrong_does_not():
    right = {"logits": np.array([[1, 2]], np.float32), "probabilities": np.array([[0.3, 0.7]], np.float32)}
    answer = dict(Wire.OPEN_INFERENCE.answer(message_of(right, "digits"), (1, 2)))
    check(answer, right)
    with pytest.raises(BenchmarkError, match="logits"):
        check({**answer, "logits": right["logits"] + 0.01}, right)
    with pytest.raises(BenchmarkError, match="probabilities"):
        check({"probabilities": right["probabilities"][:, :1]}, right)
    with pytest.raises(BenchmarkError, match="not"):
        check({}, right)
    with pytest.raises(BenchmarkError, match="logits"):
        check({**answer, "logits": np.full((1, 2), np.nan, np.float32)}, right)


def test_an_empty_message_has_a_prefix_too():
    assert framed(b"") == bytes(5)


def test_a_summary_is_the_median_and_half_the_range():
    assert summary([30.0, 10.0, 20.0]) == summary([10.0, 20.0, 30.0])
    assert summary([10.0, 20.0, 30.0]).median == 20
    assert summary([10.0, 20.0, 30.0]).spread == 0.5
    assert summary([7.0]).spread == 0
    assert summary([0.0, 0.0]).spread == 0


def test_a_ratio_is_of_each_round_not_of_the_medians():
    # One round was slow for both.
    compared = ratio([100.0, 20.0, 90.0], [50.0, 10.0, 50.0])
    assert compared.median == 2
    assert compared.spread == pytest.approx(0.05)
    with pytest.raises(ValueError, match="shorter"):
        ratio([1.0, 2.0], [1.0])


def test_what_h2load_says_is_read():
    log = "".join(f"1000\t200\t{1000 * number}\n" for number in range(1, 7)) + "1000\t-1\t99999999\n"
    load = parse(OUTPUT, log, 3.0)
    assert (load.requests, load.failed, load.answer_bytes) == (6, 1, 888)
    assert load.rate == 2
    assert load.p50_ms == 3.5
    assert 5.9 < load.p99_ms <= 6


def test_no_answer_is_no_figure():
    with pytest.raises(BenchmarkError, match="no answer"):
        parse(OUTPUT.replace("6 succeeded", "0 succeeded"), "", 3.0)


def test_loads_that_cannot_be_answered_in_time_are_left_out():
    plan = Plan(
        models=("default", "large"),
        servers=("a", "b", "c"),
        loads=(1, 8, 64, 256),
        rows=(1, 32),
        workers=(1,),
        seconds=3,
        rounds=2,
    )
    assert len(plan.cells("default", 1)) == 8
    large = [(cell.rows, cell.in_flight) for cell in plan.cells("large", 1)]
    assert large == [(1, 1), (1, 8), (1, 64), (32, 1)]


def test_servers_take_turns():
    plan = Plan(models=(), servers=(), loads=(), rows=(), workers=(), seconds=1, rounds=2)
    turns = list(plan.turns(("a", "b", "c")))
    assert turns == [(1, "a"), (1, "b"), (1, "c"), (2, "b"), (2, "c"), (2, "a")]
