"""The Python clients against a real server, and the typed exceptions against real status codes."""

import numpy as np
import pytest

import clients
from clients import AsyncClient, Client


def test_public_names():
    assert clients.__all__ == [
        "AsyncClient",
        "BatchStatistics",
        "ClassScore",
        "Client",
        "ClientError",
        "DeadlineExceeded",
        "FailedPrecondition",
        "InferRequest",
        "InferResult",
        "InputError",
        "InvalidRequest",
        "ModelConfig",
        "ModelEntry",
        "ModelMetadata",
        "ModelNotFound",
        "ModelStatistics",
        "Overloaded",
        "PermissionDenied",
        "ServerFault",
        "ServerUnavailable",
        "Spent",
        "StreamAnswer",
        "TensorSpec",
        "Tls",
        "Unauthenticated",
    ]
    assert all(getattr(clients, name) for name in clients.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Other'"):
        _ = clients.Other


@pytest.fixture
def client(digits_server):
    with Client(digits_server.url) as client:
        yield client


def test_what_the_server_is(client):
    assert client.live()
    assert client.ready()
    assert client.ready("digits", version="1")
    assert client.models() == (clients.ModelEntry(name="digits", version="1", state="READY"),)


def test_metadata_and_config(client):
    metadata = client.metadata("digits")
    assert metadata.inputs == (clients.TensorSpec(name="image", datatype="UINT8", shape=(-1, 28, 28, 1)),)
    assert [output.name for output in metadata.outputs] == ["logits", "probabilities"]
    config = client.config("digits")
    assert (config.max_batch_size, config.labels) == (64, tuple("abcdefghij"))


def test_infer(client, classifier, images):
    result = client.infer("digits", {"image": images}, outputs=["logits"], version="1", id="a")
    assert (result.model, result.version, result.id, list(result.outputs)) == ("digits", "1", "a", ["logits"])
    np.testing.assert_allclose(result.outputs["logits"], classifier.expected(images)["logits"], atol=1e-4)


def test_top_classes(client, classifier, images):
    result = client.infer(
        "digits", {"image": images}, outputs=["probabilities"], classification=3, priority=1
    )
    expected = classifier.expected(images)["probabilities"]
    for row, probabilities in zip(result.classes("probabilities"), expected, strict=True):
        assert [each.index for each in row] == np.argsort(-probabilities)[:3].tolist()
        assert [each.label for each in row] == ["abcdefghij"[each.index] for each in row]
        assert [each.value for each in row] == pytest.approx(np.sort(probabilities)[:-4:-1], abs=1e-4)
    for name in ("probabilities", "logits"):  # values, and nothing at all
        result = client.infer("digits", {"image": images}, outputs=["probabilities"])
        with pytest.raises(clients.InputError, match=f"{name} holds no classes"):
            result.classes(name)


def test_statistics(client, images):
    (before,) = client.statistics("digits", version="1")
    for _ in range(2):
        client.infer("digits", {"image": images})
    (after,) = client.statistics()
    assert (after.name, after.version) == ("digits", "1")
    assert (after.rows - before.rows, after.success.count - before.success.count) == (10, 2)
    assert 0 < after.compute_infer.mean_ms < after.success.mean_ms
    assert 5 in [batch.rows for batch in after.batches]
    assert after.mean_batch == after.rows / after.runs


async def test_the_async_client_does_the_same(digits_server, client, images):
    async with AsyncClient(digits_server.url) as other:
        assert await other.live()
        assert await other.ready("digits")
        assert await other.models() == client.models()
        assert await other.metadata("digits") == client.metadata("digits")
        assert await other.config("digits") == client.config("digits")
        assert await other.statistics("digits") == client.statistics("digits")
        result = await other.infer("digits", {"image": images})
        with pytest.raises(clients.ModelNotFound):
            await other.config("letters")
    expected = client.infer("digits", {"image": images})
    np.testing.assert_array_equal(result.outputs["logits"], expected.outputs["logits"])


def test_both_clients_offer_the_same():
    def public(kind):
        return {name for name in vars(kind) if not name.startswith("_")}

    assert public(Client) == public(AsyncClient)


def test_errors_are_typed(client, images):
    with pytest.raises(clients.ModelNotFound, match="no model 'letters' is loaded"):
        client.infer("letters", {"image": images})
    with pytest.raises(clients.ModelNotFound, match="version '2'"):
        client.ready("digits", version="2")
    with pytest.raises(clients.InvalidRequest, match="'image' came as FP32, expected UINT8"):
        client.infer("digits", {"image": images.astype(np.float32)})
    with pytest.raises(clients.InvalidRequest, match="'image' is complex64, expected one of"):
        client.infer("digits", {"image": images.astype(np.complex64)})
    with pytest.raises(clients.Overloaded, match="larger than max"):
        client.infer("digits", {"image": np.zeros((90_000, 28, 28, 1), np.uint8)})


def test_nobody_there():
    with Client("127.0.0.1:1") as client, pytest.raises(clients.ServerUnavailable, match="keraport serve"):
        client.live()


def test_names_that_no_message_can_hold(client, images):
    for call in (
        lambda: client.infer("digits", {"image": images}, outputs=["\udcff"]),
        lambda: client.infer("digits", {"\udcff": images}),
        lambda: client.ready("\udcff"),
        lambda: client.load("\udcff"),
    ):
        with pytest.raises(clients.InputError, match=r"^'\\udcff' is no Unicode text"):
            call()


async def test_nobody_there_async():
    async with AsyncClient("127.0.0.1:1") as client:
        with pytest.raises(clients.ServerUnavailable, match=r"127\.0\.0\.1:1 is unavailable"):
            await client.live()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "'' is no address: give HOST:PORT"),
        ("localhost", "no address"),
        (":8001", "no address"),
        ("localhost:", "no address"),
        ("::1:8001", "no address"),
        ("http://localhost:8001", "no address"),
        ("local host:8001", "no address"),
        ("localhost:8001\n", "no address"),
        ("localhost:0", "no such port: give one from 1 to 65535"),
        ("localhost:65536", "no such port"),
        ("localhost:-1", "no address"),
    ],
)
async def test_what_is_no_address(url, message):
    for kind in (Client, AsyncClient):
        with pytest.raises(clients.InputError, match=message):
            kind(url)


@pytest.mark.parametrize(
    "url", ["localhost:1", "a_b.example-1.org:65535", "[::1]:8001", "[fe80::1%eth0]:8001"]
)
def test_what_is_an_address(url):
    with Client(url):
        pass
