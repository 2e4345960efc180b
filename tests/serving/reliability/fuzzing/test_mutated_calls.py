"""Mutated and random requests of all other methods, and inferences on streams."""

import asyncio
import collections

import grpc.aio
import pytest
from google.protobuf.message import DecodeError
from grpc import StatusCode
from grpc_health.v1 import health_pb2

from serving.proto import inference_pb2 as pb
from serving.proto.methods import METHODS, methods_of

HEALTH = methods_of(health_pb2.DESCRIPTOR.services_by_name["Health"])
CALLS = {name: method for name, method in (METHODS | HEALTH).items() if name in {
    "ServerLive", "ServerReady", "ServerMetadata", "ModelReady", "ModelMetadata", "ModelConfig",
    "ModelStatistics", "RepositoryIndex", "RepositoryModelLoad", "RepositoryModelUnload", "Check",
}}  # fmt: skip
SERVICES = ("", "inference.GRPCInferenceService")


def seeds_of(name):
    """Requests of a method that are answered."""
    kind = CALLS[name].request
    if "version" in kind.DESCRIPTOR.fields_by_name:
        return [kind(name="digits"), kind(name="digits", version="1")]
    if "model_name" in kind.DESCRIPTOR.fields_by_name:
        return [kind(model_name="digits")]
    if name == "Check":
        return [kind(service=service) for service in SERVICES]
    return [kind(ready=True), kind()] if name == "RepositoryIndex" else [kind()]


def right_code(name, content):
    """The only status that is right for these bytes."""
    try:
        request = CALLS[name].request.FromString(content)
    except DecodeError:
        return StatusCode.INVALID_ARGUMENT
    match name:
        case "ModelReady" | "ModelMetadata" | "ModelConfig":
            known = request.name == "digits" and request.version in ("", "1")
        case "ModelStatistics":
            known = not request.name or (request.name == "digits" and request.version in ("", "1"))
        case "Check":
            known = request.service in SERVICES
        case "RepositoryModelLoad" | "RepositoryModelUnload":
            return StatusCode.PERMISSION_DENIED  # whatever is asked: clients control nothing here
        case _:
            known = True
    return StatusCode.OK if known else StatusCode.NOT_FOUND


@pytest.mark.parametrize("requests", [100, pytest.param(2_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", CALLS)
async def test_mutated_calls_get_the_status_that_is_right(digits_server, cases_of, name, requests):
    cases = cases_of(CALLS[name].request, seeds_of(name))
    async with grpc.aio.insecure_channel(digits_server.url) as channel:
        call = channel.unary_unary(CALLS[name].path)

        async def ask(content):
            try:
                CALLS[name].response.FromString(await call(content, timeout=60))
            except grpc.aio.AioRpcError as error:
                return error.code()
            return StatusCode.OK

        contents = list(map(cases, range(requests)))
        codes = await asyncio.gather(*map(ask, contents))
    for content, code in zip(contents, codes, strict=True):
        assert code is right_code(name, content), content


@pytest.mark.slow
async def test_mutated_control_reaches_the_repositorys_models_alone(
    tmp_path, publish_classifier, start_server, cases_of
):
    publish_classifier(tmp_path / "models")
    publish_classifier(tmp_path, "secret")  # beside the repository
    server = start_server(tmp_path / "models", "--repository-control")
    names = ("RepositoryModelLoad", "RepositoryModelUnload")
    async with grpc.aio.insecure_channel(server.url) as channel:

        async def code_of(name, content):
            try:
                await channel.unary_unary(CALLS[name].path)(content, timeout=60)
            except grpc.aio.AioRpcError as error:
                return error.code()
            return StatusCode.OK

        for number in range(1_000):
            name = names[number % 2]
            kind = CALLS[name].request
            content = cases_of(kind, [kind(model_name="digits"), kind(model_name="../secret")])(number)
            code = await code_of(name, content)
            try:
                request = kind.FromString(content)
            except DecodeError:
                assert code is StatusCode.INVALID_ARGUMENT, content
                continue
            if request.model_name != "digits":
                assert code in (StatusCode.NOT_FOUND, StatusCode.INVALID_ARGUMENT), content
            else:  # it may be unloaded already
                assert code in (StatusCode.OK, StatusCode.NOT_FOUND, StatusCode.INVALID_ARGUMENT), content
        load = CALLS["RepositoryModelLoad"].request(model_name="digits")
        assert await code_of("RepositoryModelLoad", load.SerializeToString()) is StatusCode.OK
        index = await channel.unary_unary(CALLS["RepositoryIndex"].path)(b"")
    models = pb.RepositoryIndexResponse.FromString(index).models
    assert [(entry.name, entry.version, entry.state) for entry in models] == [("digits", "1", "READY")]


@pytest.mark.parametrize("streams", [8, pytest.param(400, marks=pytest.mark.slow)])
async def test_mutated_inferences_on_streams(digits_server, infer_cases, oracle, report, streams):
    """Each is answered in its turn, whatever stands before it."""
    length = 25
    replies = collections.Counter()
    async with grpc.aio.insecure_channel(digits_server.url) as channel:
        for first in range(0, streams * length, length):
            numbers = range(first, first + length)
            contents = list(map(infer_cases, numbers))
            call = channel.stream_stream(METHODS["ModelStreamInfer"].path)(contents_of(contents), timeout=60)
            answers = [pb.ModelStreamInferResponse.FromString(answer) async for answer in call]
            for number, content, answer in zip(numbers, contents, answers, strict=True):
                try:
                    oracle.check_streamed(content, answer)
                except AssertionError as error:
                    error.add_note(f"case {number} was answered {answer}: {content[:2000].hex()}")
                    raise
                replies["refused" if answer.error_message else "answered"] += 1
    report(**replies)
    assert min(replies.values()) > streams


async def contents_of(contents):
    for content in contents:
        yield content
