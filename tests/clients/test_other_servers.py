"""What the client makes of servers that are not keraport, and of servers in trouble."""

import time

import grpc
import numpy as np
import pytest

import clients
from clients import AsyncClient, Client, InferRequest
from serving.proto import inference_pb2 as pb

FEED = {"x": np.zeros((1, 2), np.float32)}


@pytest.fixture
def client(foreign):
    with Client(foreign.url) as client:
        yield client


def refusing(code, *, times=None):
    """An answer that is a status, so often, and then a readiness."""
    left = [times]

    def answer(_, context):
        if left[0] == 0:
            return pb.ServerReadyResponse(ready=True)
        left[0] = None if left[0] is None else left[0] - 1
        return context.abort(code, "because")

    return answer


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, clients.Unauthenticated),
        (grpc.StatusCode.PERMISSION_DENIED, clients.PermissionDenied),
        (grpc.StatusCode.FAILED_PRECONDITION, clients.FailedPrecondition),
        (grpc.StatusCode.UNIMPLEMENTED, clients.ServerFault),
    ],
)
async def test_status_codes_are_typed(foreign, client, code, kind):
    foreign.answers["RepositoryModelLoad"] = refusing(code)
    with pytest.raises(kind, match="because"):
        client.load("m")
    async with AsyncClient(foreign.url) as other:
        with pytest.raises(kind, match="because"):
            await other.load("m")


def test_a_moment_of_unavailability_is_bridged(foreign, client):
    foreign.answers["ServerReady"] = refusing(grpc.StatusCode.UNAVAILABLE, times=2)
    assert client.ready()
    assert len(foreign.asked) == 3


def test_a_longer_one_is_told(foreign, client):
    foreign.answers["ServerReady"] = refusing(grpc.StatusCode.UNAVAILABLE)
    with pytest.raises(clients.ServerUnavailable, match="because"):
        client.ready()
    assert len(foreign.asked) == 3


TRIES = 6


def is_ready(client):
    """Whether it is; a tenth of a second later, if not."""
    try:
        return client.ready()
    except clients.ServerUnavailable:
        time.sleep(0.1)
        return False


def test_a_server_that_is_replaced_is_found_at_once(foreign, client):
    foreign.answers["ServerReady"] = lambda *_: pb.ServerReadyResponse(ready=True)
    assert client.ready()
    foreign.stop()
    with pytest.raises(clients.ServerUnavailable, match="keraport serve"):
        client.ready()
    foreign.start(foreign.url)
    assert any(is_ready(client) for _ in range(TRIES))  # gRPC's own settings would let it wait for a second


def test_what_changes_the_server_is_sent_once(foreign, client):
    foreign.answers |= dict.fromkeys(
        ("RepositoryModelLoad", "RepositoryModelUnload"), refusing(grpc.StatusCode.UNAVAILABLE)
    )
    for steer in (client.load, client.unload):
        with pytest.raises(clients.ServerUnavailable):
            steer("m")
    assert [name for name, _ in foreign.asked] == ["RepositoryModelLoad", "RepositoryModelUnload"]


def test_a_busy_server_is_not_asked_again(foreign, client):
    foreign.answers["ServerReady"] = refusing(grpc.StatusCode.RESOURCE_EXHAUSTED)
    with pytest.raises(clients.Overloaded):
        client.ready()
    assert len(foreign.asked) == 1


def test_a_token_goes_with_every_call(foreign):
    def echo(requests, _):
        for request in requests:
            yield pb.ModelStreamInferResponse(infer_response=pb.ModelInferResponse(id=request.id))

    foreign.answers |= {"ServerReady": lambda *_: pb.ServerReadyResponse(), "ModelStreamInfer": echo}
    with Client(foreign.url, token="a.b-c") as client:  # noqa: S106
        client.ready()
        list(client.stream([InferRequest(model="m", inputs=FEED)]))
    assert [metadata["authorization"] for _, metadata in foreign.asked] == ["Bearer a.b-c"] * 2


def test_what_a_request_carries(foreign, client):
    came = []
    foreign.answers["ModelInfer"] = lambda request, _: came.append(request) or pb.ModelInferResponse()
    client.infer("m", FEED, outputs=["y"], priority=2, classification=3)
    (request,) = came
    assert request.parameters["priority"].uint64_param == 2
    assert request.outputs[0].parameters["classification"].int64_param == 3
    for options, message in (
        ({"classification": 3}, "give outputs="),
        ({"classification": -1, "outputs": ["y"]}, "classification is -1"),
        ({"priority": -1}, "priority is -1"),
    ):
        with pytest.raises(clients.InputError, match=message):
            client.infer("m", FEED, **options)


def test_an_error_without_its_status(foreign, client):
    def refuse(requests, _):
        for _ in requests:
            yield pb.ModelStreamInferResponse(error_message="no such luck")

    foreign.answers["ModelStreamInfer"] = refuse
    (answer,) = client.stream([InferRequest(model="m", inputs=FEED)])
    with pytest.raises(clients.ServerFault, match="no such luck"):
        answer.result()


async def test_answers_that_do_not_come(foreign, client):
    def forget(requests, _):
        yield pb.ModelStreamInferResponse(infer_response=pb.ModelInferResponse(id=next(requests).id))

    foreign.answers["ModelStreamInfer"] = forget
    requests = [InferRequest(model="m", inputs=FEED)] * 100
    told = r"ended the stream after \d answers, before every request had one"
    with pytest.raises(clients.ServerUnavailable, match=told):
        list(client.stream(requests))
    async with AsyncClient(foreign.url) as other:
        with pytest.raises(clients.ServerUnavailable, match=told):
            [each async for each in other.stream(requests)]


def test_an_index_of_fewer_fields(foreign, client):
    index = pb.RepositoryIndexResponse.ModelIndex(name="m", state="UNAVAILABLE", reason="no memory")
    foreign.answers["RepositoryIndex"] = lambda *_: pb.RepositoryIndexResponse(models=[index])
    assert client.models() == (
        clients.ModelEntry(name="m", version="", state="UNAVAILABLE", reason="no memory"),
    )
