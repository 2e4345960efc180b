"""Mutated and random inference requests: answered rightly or refused for what they are."""

import asyncio
import collections
import time

import grpc.aio
import numpy as np
import pytest
from google.protobuf.message import DecodeError
from grpc import StatusCode

from serving.codec import encode
from serving.proto import inference_pb2 as pb
from serving.proto.methods import METHODS

IN_FLIGHT = 64


@pytest.mark.parametrize("requests", [2_000, pytest.param(100_000, marks=pytest.mark.slow)])
async def test_mutated_inferences_are_answered_rightly_or_refused(
    digits_server, infer_cases, oracle, report, requests
):
    complaints = digits_server.log.read_text().count("Traceback")
    codes = collections.Counter()
    numbers = iter(range(requests))
    started = time.monotonic()
    async with grpc.aio.insecure_channel(digits_server.url) as channel:
        infer = channel.unary_unary(METHODS["ModelInfer"].path)

        async def ask_on():
            for number in numbers:
                content = infer_cases(number)
                code, answer = await reply_to(infer, content)
                codes[code] += 1
                try:
                    oracle.check(content, code, answer)
                except AssertionError as error:
                    error.add_note(f"case {number} was answered {code.name}: {content[:2000].hex()}")
                    raise

        await asyncio.gather(*(ask_on() for _ in range(IN_FLIGHT)))
        code, answer = await reply_to(infer, plain_request())
        oracle.check(plain_request(), code, answer)
        assert code is StatusCode.OK
    seconds = time.monotonic() - started
    report(**{code.name: count for code, count in codes.items()}, requests_per_second=requests / seconds)
    # The log complains of runs that failed, of nothing else.
    assert digits_server.log.read_text().count("Traceback") - complaints == codes[StatusCode.INTERNAL]
    assert min(codes[code] for code in (StatusCode.OK, StatusCode.NOT_FOUND)) > requests / 50


def test_mutations_reach_what_they_should(infer_cases):
    """Both what the protobuf library reads and what it cannot, neither of them seldom."""
    unreadable = 0
    for number in range(1000):
        try:
            pb.ModelInferRequest.FromString(infer_cases(number))
        except DecodeError:
            unreadable += 1
    assert 100 < unreadable < 700
    assert infer_cases(7) == infer_cases(7)
    assert len({infer_cases(number) for number in range(1000)}) > 800


async def reply_to(infer, content):
    try:
        return StatusCode.OK, await infer(content, timeout=60)
    except grpc.aio.AioRpcError as error:
        return error.code(), None


def plain_request():
    request = pb.ModelInferRequest(model_name="digits")
    encode({"image": np.zeros((2, 28, 28, 1), np.uint8)}, request.inputs, request.raw_input_contents)
    return request.SerializeToString()
