"""The parts of the serving benchmark that its figures rest on."""

import json
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest

from benchmarks.serving import rooms
from benchmarks.serving.answers import check, message_of
from benchmarks.serving.body import framed, infer_request
from benchmarks.serving.errors import BenchmarkError
from benchmarks.serving.estimate import Estimate
from benchmarks.serving.h2load import parse
from benchmarks.serving.peers.open_loop import Connection, gaps, measure
from benchmarks.serving.plan import Plan
from benchmarks.serving.sampling import read_report
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


def log_of(answers: Iterable[tuple[int, int]]) -> str:
    return "".join(f"{begun}\t200\t{took}\n" for begun, took in answers)


def test_what_h2load_says_is_read():
    log = log_of((1_000_000 * number, 1000 * number) for number in range(7)) + "1000\t-1\t99999999\n"
    load = parse(OUTPUT, log, 0.5)
    assert (load.requests, load.answered, load.failed, load.answer_bytes) == (6, 6, 1, 888)
    assert load.seconds == pytest.approx(6.006)
    assert load.p50_ms == 3.5
    assert 5.9 < load.p99_ms <= 6


def test_a_rate_is_of_whole_batches():
    # Each second 32 answers at once, the first ones in the warm-up.
    batches = [(1_000_000 * second, 1_000_000) for second in range(4) for _ in range(32)]
    load = parse(OUTPUT, log_of(batches), 1.7)
    assert load.rate == 32
    assert load.seconds == 3


def test_no_answer_is_no_figure():
    with pytest.raises(BenchmarkError, match="no answer"):
        parse(OUTPUT.replace("6 succeeded", "0 succeeded"), "", 3.0)
    with pytest.raises(BenchmarkError, match="no answer"):
        parse(OUTPUT, log_of([(0, 1000)]), 3.0)


def plan_of(**changes: Any) -> Plan:
    settings = {
        "models": ("default", "large"),
        "servers": ("keraport", "empty-aio", "plain", "kserve"),
        "loads": (1, 8, 64, 256),
        "rows": (1, 8),
        "workers": (1,),
        "seconds": 2.0,
        "rounds": 3,
    }
    return Plan(**{**settings, **changes})


def test_loads_that_cannot_be_answered_in_time_are_left_out():
    plan = plan_of()
    assert len(plan.cells("default", 1)) == 8
    large = plan.cells("large", 1)
    assert [(cell.rows, cell.in_flight) for cell in large] == [(1, 1), (1, 8), (1, 64), (8, 1), (8, 8)]
    assert [len(plan.servers_of(cell, plan.servers)) for cell in large] == [4, 4, 4, 4, 2]


def test_the_estimate_is_of_all_that_is_planned():
    whole = Estimate(plan_of()).total_s
    parts = [Estimate(plan_of(models=(model,), rounds=3)) for model in ("default", "large")]
    # Servers of the first model are started once a round, of the others once.
    assert whole < sum(part.total_s for part in parts) < 1.1 * whole
    assert Estimate(plan_of(rounds=6)).total_s == pytest.approx(2 * whole, rel=0.1)


@pytest.mark.parametrize(
    ("stack", "room"),
    [
        (
            "main (serving/workers/worker.py:1);_run_once (lib/asyncio/base_events.py:2);f (x/numpy/a.py:3)",
            "event loop",
        ),
        (
            "answer (w/serving/rpc/service.py:1);infer (w/serving/rpc/answers.py:2);copy (libc.so.6)",
            "writing the answer",
        ),
        (
            "_run (lib/asyncio/events.py:1);infer (w/serving/engine.py:2);0x1 (s/grpc/_cython/cygrpc.so)",
            rooms.CORE,
        ),
        (
            "run (w/serving/served.py:1);run (s/onnxruntime/capi/x.py:2);0x2 (s/onnxruntime/capi/y.so)",
            rooms.SESSION,
        ),
        ("run (w/serving/batcher.py:1)", "engine, batcher, statistics"),
        ("take (w/serving/rpc/call.py:1)", "the front: calls, status codes, methods"),
        ("run (w/serving/rpc/server.py:1);look (w/serving/rpc/loop.py:1)", "event loop"),
        ("bootstrap (lib/threading.py:1)", rooms.OTHER),
    ],
)
def test_a_stack_belongs_to_the_innermost_room(stack: str, room: str):
    assert rooms.room_of(stack.split(";")) == room


def test_waiting_is_no_share_of_a_request():
    waiting = "_run_once (lib/asyncio/base_events.py:2);poll (selectmodule.c:1);epoll_wait (libc.so.6) 90"
    lines = [waiting, "f (w/serving/batcher.py:1) 3", "f (w/serving/rpc/answers.py:1) 1"]
    found = rooms.shares(lines, {})
    assert found["engine, batcher, statistics"] == 0.75
    assert found["writing the answer"] == 0.25
    assert rooms.leaves(lines)[0] == ("engine, batcher, statistics", "f", 0.75)


def test_stacks_weigh_what_perf_saw_of_the_object_in_which_they_end():
    lines = ["f (w/serving/batcher.py:1);0x1 (s/onnxruntime/x.so) 9", "f (w/serving/batcher.py:1) 1"]
    found = rooms.shares(lines, {"onnxruntime": 0.2, rooms.REST: 0.2, rooms.KERNEL: 0.1})
    assert found["onnxruntime's run"] == found["engine, batcher, statistics"] == 0.5


def test_what_perf_says_is_read():
    text = "# Overhead|Command|Shared Object\n 40.45% |python |[kernel.kallsyms] \n  0.69% |python |x.so\n"
    found = read_report(text)
    assert found == {("python", "[kernel.kallsyms]"): 0.4045, ("python", "x.so"): 0.0069}
    assert [rooms.kind_of(name) for _, name in found] == [rooms.KERNEL, rooms.REST]


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that answers five bytes, and its port."""
    method = grpc.unary_unary_rpc_method_handler(lambda *_: b"right")
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", {"Ask": method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None).wait()


@pytest.mark.parametrize("size", [10, 200_000])  # the latter is more than the windows of a new connection
def test_an_open_loop_asks_when_it_is_due(echo: int, size: int):
    connection = Connection(echo, "/test.Echo/Ask", bytes(size), len(framed(b"right")))
    begin = time.perf_counter()
    figures = measure(connection, gaps("even", 100), begin, begin + 0.2)
    connection.socket.close()
    assert figures["failed"] == 0
    assert figures["kept"] == 1
    assert figures["p99_ms"] >= figures["p50_ms"] > 0


def test_an_open_loop_takes_no_wrong_answer_for_a_right_one(echo: int):
    connection = Connection(echo, "/test.Echo/Nothing", b"", len(framed(b"right")))
    begin = time.perf_counter()
    with pytest.raises(SystemExit, match="refused"):
        measure(connection, gaps("random", 200), begin, begin + 0.1)
    connection.socket.close()


def test_servers_take_turns():
    plan = Plan(models=(), servers=(), loads=(), rows=(), workers=(), seconds=1, rounds=2)
    turns = list(plan.turns(("a", "b", "c")))
    assert turns == [(1, "a"), (1, "b"), (1, "c"), (2, "b"), (2, "c"), (2, "a")]
