"""Streams of inferences against a real server."""

import asyncio

import numpy as np
import pytest

import clients
from clients import AsyncClient, Client, InferRequest


@pytest.fixture
def client(digits_server):
    with Client(digits_server.url) as client:
        yield client


def requests_of(images, **options):
    return [InferRequest(model="digits", inputs={"image": image[None]}, **options) for image in images]


def check(answers, classifier, images):
    """Every image has one answer, its own."""
    found = {answer.id: answer.result() for answer in answers}
    assert len(answers) == len(found) == len(images)
    logits = np.concatenate([found[str(position)].outputs["logits"] for position in range(len(images))])
    np.testing.assert_allclose(logits, classifier.expected(images)["logits"], rtol=1e-4, atol=1e-4)


def test_every_request_is_answered(client, classifier, images):
    many = np.tile(images, (20, 1, 1, 1))
    many[:, 1, 0, 0] = np.arange(100)
    check(list(client.stream(iter(requests_of(many)))), classifier, many)


@pytest.mark.parametrize("lazily", [False, True])
async def test_every_request_is_answered_async(digits_server, classifier, images, lazily):
    async def one_by_one():
        for request in requests_of(images):
            await asyncio.sleep(0)
            yield request

    async with AsyncClient(digits_server.url) as client:
        requests = one_by_one() if lazily else requests_of(images)
        check([answer async for answer in client.stream(requests)], classifier, images)


def test_a_request_that_fails_does_so_alone(client, images):
    right = InferRequest(model="digits", inputs={"image": images}, id="right")
    unknown = InferRequest(model="letters", inputs={"image": images}, id="unknown")
    wrong = InferRequest(model="digits", inputs={"image": images.astype(np.float32)}, id="wrong")
    last = InferRequest(model="digits", inputs={"image": images}, id="last", version="1", outputs=["logits"])
    answers = {answer.id: answer for answer in client.stream([right, unknown, wrong, last])}
    assert list(answers["last"].result().outputs) == ["logits"]
    assert answers["right"].result().version == "1"
    with pytest.raises(clients.ModelNotFound, match="no model 'letters' is loaded"):
        answers["unknown"].result()
    with pytest.raises(clients.InvalidRequest, match="'image' came as FP32, expected UINT8"):
        answers["wrong"].result()


def failing(requests):
    yield from requests
    raise ZeroDivisionError("of the caller")


async def failing_async(requests):
    for request in requests:
        yield request
    raise ZeroDivisionError("of the caller")


async def test_what_the_requests_raise_is_raised_once_those_before_it_are_answered(digits_server, images):
    seen = []
    with Client(digits_server.url) as client, pytest.raises(ZeroDivisionError, match="of the caller"):
        seen.extend(answer.id for answer in client.stream(failing(requests_of(images))))
    assert sorted(seen) == list("01234")
    async with AsyncClient(digits_server.url) as client:
        for kind in (failing, failing_async):
            stream = client.stream(kind(requests_of(images)))
            assert sorted([(await anext(stream)).id for _ in range(5)]) == list("01234")
            with pytest.raises(ZeroDivisionError, match="of the caller"):
                await anext(stream)


def test_a_request_that_no_server_could_take(client, images):
    wrong = InferRequest(model="digits", inputs={"image": images.astype(np.complex64)})
    with pytest.raises(clients.InvalidRequest, match="complex64"):
        list(client.stream([wrong]))


def endless(images):
    while True:
        yield from requests_of(images)


async def test_a_stream_may_be_left(digits_server, client, images):
    stream = client.stream(endless(images))
    assert next(stream).result().model == "digits"
    stream.close()
    async with AsyncClient(digits_server.url) as other:
        async_stream = other.stream(endless(images))
        assert (await anext(async_stream)).result().model == "digits"
        await async_stream.aclose()
    assert client.ready()


def test_nobody_there(images):
    with Client("127.0.0.1:1") as client, pytest.raises(clients.ServerUnavailable, match="keraport serve"):
        list(client.stream(requests_of(images)))


async def test_a_server_that_stops_under_a_stream(tmp_path, publish_classifier, start_server, images):
    publish_classifier(tmp_path)
    server = start_server(tmp_path)
    answered, failed = [], []

    def take(answer):
        if not answered:
            server.process.terminate()
        (answered if answer.error is None else failed).append(answer)

    def stream():
        with Client(server.url) as client:
            for answer in client.stream(endless(images)):
                take(answer)

    async def stream_async():
        async with AsyncClient(server.url) as client:
            async for answer in client.stream(endless(images)):
                take(answer)

    ends = await asyncio.gather(asyncio.to_thread(stream), stream_async(), return_exceptions=True)
    assert [type(end) for end in ends] == [clients.ServerUnavailable] * 2
    assert answered
    assert {type(answer.error) for answer in failed} <= {clients.ServerUnavailable}
    assert server.process.wait(60) == 0
