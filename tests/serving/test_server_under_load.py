"""Full queues, deadlines, cancellation and stopping, on a model whose run takes tens of milliseconds."""

import asyncio
import itertools
import signal

import numpy as np
import pytest
from grpc import StatusCode, aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from clients import AsyncClient, DeadlineExceeded, Overloaded, ServerFault, ServerUnavailable
from serving.codec import encode
from serving.proto import inference_pb2 as pb
from serving.proto.methods import METHODS

SLOW_TURNS = 40_000


@pytest.fixture
def slow_server(tmp_path, publish_classifier, start_server):
    def start(*arguments, turns=SLOW_TURNS):
        publish_classifier(tmp_path, idle_turns=turns)
        return start_server(tmp_path, "--sessions", 1, *arguments)

    return start


async def arrived(client):
    """Return once the server has taken in what this client's tasks have sent.

    A connection carries requests in their order, and the server begins them in it, too: whatever was sent
    before has reached the queue when a later one is answered.
    """
    await asyncio.sleep(0)  # the tasks begin, and send
    for _ in range(2):
        await client.live()


def one(value):
    return {"image": np.full((1, 28, 28, 1), value, np.uint8)}


async def test_a_full_queue_sheds_and_recovers(slow_server, classifier):
    server = slow_server("--max-queue", 2, "--max-batch", 1)
    async with AsyncClient(server.url) as client:
        results = await asyncio.gather(
            *(client.infer("digits", one(value)) for value in range(12)), return_exceptions=True
        )
        shed = [result for result in results if isinstance(result, Overloaded)]
        assert 1 <= len(shed) <= 10
        assert "requests wait already" in str(shed[0])
        assert shed[0].__cause__.trailing_metadata()["grpc-retry-pushback-ms"] == "100"
        for value, result in enumerate(results):
            if result not in shed:
                expected = classifier.expected(one(value)["image"])["logits"]
                np.testing.assert_allclose(result.outputs["logits"], expected, atol=1e-4)
        assert (await client.infer("digits", one(1))).version == "1"


async def test_deadlines_hold_in_the_queue_and_neighbours_are_answered(slow_server):
    server = slow_server("--max-batch", 1, turns=5 * SLOW_TURNS)
    async with AsyncClient(server.url) as client:
        busy = [asyncio.create_task(client.infer("digits", one(value))) for value in range(3)]
        await arrived(client)
        with pytest.raises(DeadlineExceeded):
            await client.infer("digits", one(9), timeout_s=0.05)
        assert not any(task.done() for task in busy)  # the deadline, not a free model, ended the wait
        assert [result.version for result in await asyncio.gather(*busy)] == ["1"] * 3


async def test_cancelling_frees_places_in_the_queue_and_harms_no_other(slow_server, classifier):
    server = slow_server("--max-batch", 1, "--max-queue", 4, turns=10 * SLOW_TURNS)
    async with AsyncClient(server.url) as client:

        def ask(value):
            return asyncio.create_task(client.infer("digits", one(value)))

        running = ask(0)
        await arrived(client)
        waiting = [ask(value) for value in range(1, 5)]
        await arrived(client)
        with pytest.raises(Overloaded, match="4 requests wait already"):
            await ask(5)
        for task in waiting[::2]:
            task.cancel()
        await arrived(client)
        later = [ask(value) for value in (6, 7)]
        await arrived(client)
        with pytest.raises(Overloaded, match="4 requests wait already"):
            await ask(8)
        assert not running.done()
        for value, task in ((0, running), (2, waiting[1]), (4, waiting[3]), (6, later[0]), (7, later[1])):
            expected = classifier.expected(one(value)["image"])["logits"]
            np.testing.assert_allclose((await task).outputs["logits"], expected, atol=1e-4)


async def test_a_failing_request_fails_alone(slow_server, classifier):
    server = slow_server()
    async with AsyncClient(server.url) as client:
        values = [0, 1, 255, 3, 4]  # the first keeps the model busy, the others share a batch
        results = await asyncio.gather(
            *(client.infer("digits", one(value)) for value in values), return_exceptions=True
        )
    assert isinstance(results.pop(2), ServerFault)
    for value, result in zip([0, 1, 3, 4], results, strict=True):
        expected = classifier.expected(one(value)["image"])["logits"]
        np.testing.assert_allclose(result.outputs["logits"], expected, atol=1e-4)


async def test_the_requests_own_timeout_holds_in_the_queue(slow_server):
    server = slow_server("--max-batch", 1, turns=10 * SLOW_TURNS)
    async with AsyncClient(server.url) as client, aio.insecure_channel(server.url) as channel:
        await channel.channel_ready()
        busy = asyncio.create_task(client.infer("digits", one(1)))
        await arrived(client)
        request = pb.ModelInferRequest(model_name="digits")
        request.parameters["timeout"].int64_param = 1000  # µs
        encode(one(2), request.inputs, request.raw_input_contents)
        method = METHODS["ModelInfer"]
        with pytest.raises(aio.AioRpcError, match="the deadline passed in the queue") as caught:
            await channel.unary_unary(method.path, method.request.SerializeToString)(request)
        assert caught.value.code() is StatusCode.DEADLINE_EXCEEDED
        await busy


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_stopping_under_load_answers_whatever_was_accepted(slow_server, number):
    server = slow_server()
    outcomes = []
    busy = asyncio.Event()

    async def ask_until_refused(client):
        for _ in itertools.count():
            try:
                await client.infer("digits", one(1))
                outcomes.append("answered")
                if len(outcomes) == 32:
                    busy.set()
            except ServerUnavailable as error:
                outcomes.append(str(error))
                return

    async with AsyncClient(server.url) as client:
        askers = [asyncio.create_task(ask_until_refused(client)) for _ in range(16)]
        await busy.wait()
        server.process.send_signal(number)
        await asyncio.gather(*askers)
    assert await asyncio.to_thread(server.process.wait, 20) == 0
    # Nobody was cut off: each asker was answered, until the server or, then, its absence refused it.
    refusals = [outcome for outcome in outcomes if outcome != "answered"]
    assert len(refusals) == 16
    assert not any("Socket closed" in refusal or "Stream removed" in refusal for refusal in refusals)
    assert len(server.log.read_text().splitlines()) == 1  # the ready line, no complaint


async def test_while_it_drains_it_says_so_and_still_answers(slow_server):
    server = slow_server(turns=10 * SLOW_TURNS)
    async with AsyncClient(server.url) as client, aio.insecure_channel(server.url) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        watch = health.Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        accepted = asyncio.create_task(client.infer("digits", one(1)))
        await arrived(client)
        server.process.send_signal(signal.SIGTERM)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert not await client.ready()
        with pytest.raises(ServerUnavailable, match="the server is stopping"):
            await client.infer("digits", one(2))
        assert (await accepted).version == "1"
    assert await asyncio.to_thread(server.process.wait, 20) == 0


async def test_grace_ends(slow_server):
    server = slow_server("--grace-s", 0)
    async with AsyncClient(server.url) as client:
        accepted = [asyncio.create_task(client.infer("digits", one(1))) for _ in range(64)]
        await arrived(client)
        server.process.send_signal(signal.SIGTERM)
        await asyncio.wait(accepted)
    assert await asyncio.to_thread(server.process.wait, 20) == 0
    assert "cut off after 0 s of grace" in server.log.read_text()
