"""A live server as parity's candidate."""

import numpy as np
import pytest

from clients.errors import InputError, ModelNotFound, ServerUnavailable
from clients.runner import ServerRunner
from export.runner import RunError


def runner(url, *, model="digits", version="1"):
    return ServerRunner(url, model=model, version=version)


@pytest.fixture
def many(images):
    """Three hundred pictures: several requests' worth, each row another."""
    tiled = np.tile(images, (60, 1, 1, 1))
    tiled[:, 1, 0, 0] = np.arange(300) % 250
    return tiled


def test_every_row_comes_back_in_its_place(digits_server, classifier, many):
    with runner(digits_server.url) as server:
        answer = server.run({"image": many})
        one = server.run({"image": many[:1]})
    expected = classifier.expected(many)
    for name, values in expected.items():
        np.testing.assert_allclose(answer[name], values, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(one[name], answer[name][:1])
        assert answer[name].dtype == np.float32


def test_nobody_there():
    with pytest.raises(ServerUnavailable, match="start one with `keraport serve`"), runner("127.0.0.1:1"):
        pass


def test_an_address_that_is_none():
    with pytest.raises(InputError, match="is no address"):
        runner("somewhere")


def test_no_such_model(digits_server):
    with pytest.raises(ModelNotFound, match="but: digits"), runner(digits_server.url, model="letters"):
        pass


def test_another_version_is_served(digits_server):
    expected = r"serves digits version 1, not 2: name the version that it serves"
    with pytest.raises(InputError, match=expected), runner(digits_server.url, version="2"):
        pass


def test_samples_that_the_server_rejects_are_its_fault(digits_server, many):
    with runner(digits_server.url) as server:
        for feed in ({"image": many.astype(np.float32)}, {"picture": many}, {"image": many[:, :9]}):
            with pytest.raises(RunError, match="expected"):
                server.run(feed)


def test_a_failing_model_is_its_fault(digits_server, many):
    many[150, 0, 0, 0] = 255
    with runner(digits_server.url) as server, pytest.raises(RunError, match="failed: INTERNAL"):
        server.run({"image": many})


def test_a_busy_server_is_asked_again(tmp_path, publish_classifier, start_server, classifier, many):
    publish_classifier(tmp_path, idle_turns=20_000)  # long enough for requests to meet a full queue
    server = start_server(tmp_path, "--max-queue", 1, "--max-batch", 20)
    with runner(server.url) as candidate:
        answer = candidate.run({"image": many})
    np.testing.assert_allclose(answer["logits"], classifier.expected(many)["logits"], rtol=1e-4, atol=1e-4)
