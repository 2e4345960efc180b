"""New versions, good and bad ones, come every second while clients ask: no request fails."""

import asyncio
import contextlib
import itertools
import time

import grpc.aio
import pytest
from grpc import StatusCode

from export.verdict import Verdict
from serving.proto import inference_pb2 as pb
from serving.proto.methods import METHODS

ASKERS = 8
BAD_EVERY = 5


def truncated(folder):
    """Not the bytes that the manifest names."""
    path = folder / "model.onnx"
    path.write_bytes(path.read_bytes()[:-100])


def unreadable(folder):
    (folder / "manifest.json").write_text("{")


def empty(folder):
    for path in folder.iterdir():
        path.unlink()


@pytest.fixture
def versions(tmp_path, publish_classifier, classifier):
    """Publish versions as `keraport export` does, each with weights of its own."""
    return Versions(tmp_path, publish_classifier, type(classifier))


class Versions:
    def __init__(self, folder, publish, kind):
        self.repository = folder / "models"
        (self.repository / "digits").mkdir(parents=True)
        self._staging = folder / "staging"
        self._publish = publish
        self._kind = kind
        self._harms = itertools.cycle((truncated, unreadable, empty, None))
        self.classifiers = {}

    def publish(self, number, *, good=True):
        """One rename of a finished folder."""
        like = self.classifiers[str(number)] = self._kind(seed=1000 + number)
        harm = None if good else next(self._harms)
        verdict = Verdict.PASS if good or harm else Verdict.FAIL
        folder = self._publish(self._staging, version=number, like=like, idle_turns=1000, verdict=verdict)
        if harm:
            harm(folder)
        folder.rename(self.repository / "digits" / str(number))


class Operator:
    """Who loads versions and looks at what has come of them."""

    def __init__(self, channel):
        self._channel = channel

    async def load(self):
        """The status and its text."""
        try:
            await self._call("RepositoryModelLoad", pb.RepositoryModelLoadRequest(model_name="digits"))
        except grpc.aio.AioRpcError as error:
            return error.code(), error.details()
        return StatusCode.OK, ""

    async def entries(self):
        index = await self._call("RepositoryIndex", pb.RepositoryIndexRequest())
        return {entry.version: entry for entry in index.models}

    async def _call(self, name, request):
        method = METHODS[name]
        call = self._channel.unary_unary(
            method.path, method.request.SerializeToString, method.response.FromString
        )
        return await call(request, timeout=60)


@contextlib.asynccontextmanager
async def load_of(crowd):
    """Ask without a pause; what was replied, in a list for each asker."""
    over = asyncio.Event()

    async def ask_on(first):
        replies = []
        for number in itertools.count(first, ASKERS):
            if over.is_set():
                break
            replies.append(await crowd.ask(number, 1 + number % 4))
        return replies

    askers = [asyncio.create_task(ask_on(asker)) for asker in range(ASKERS)]
    replies = []
    yield replies
    over.set()
    replies += await asyncio.gather(*askers)


@pytest.mark.parametrize(
    ("reloads", "every_s", "workers"),
    [(5, 0.05, 1), pytest.param(60, 1.0, 2, marks=pytest.mark.slow)],
    ids=["short", "minute"],
)
async def test_loading_on_request_fails_nobody(
    versions, start_server, crowd_of, report, quantile, reloads, every_s, workers
):
    versions.publish(1)
    server = start_server(versions.repository, "--repository-control", "--workers", workers)
    latest, loaded, refused = 1, [], 0
    crowd = crowd_of(server, classifiers=versions.classifiers)
    async with grpc.aio.insecure_channel(server.url) as channel, crowd, load_of(crowd) as replies:
        operator = Operator(channel)
        for number in range(2, 2 + reloads):
            good = number % BAD_EVERY != 0
            versions.publish(number, good=good)
            began = time.monotonic()
            code, text = await operator.load()
            if good:
                assert code is StatusCode.OK, text
                latest = number
                loaded.append((time.monotonic(), number))
            else:
                assert code is StatusCode.FAILED_PRECONDITION
                entry = (await operator.entries())[str(number)]
                assert entry.state == "UNAVAILABLE"
                assert entry.reason
                assert entry.reason in text
                refused += 1
            assert (await operator.entries())[str(latest)].state == "READY"
            await asyncio.sleep(max(0.0, began + every_s - time.monotonic()))
    check_replies(replies, loaded)
    every = list(itertools.chain.from_iterable(replies))
    report(
        requests=len(every),
        loaded=len(loaded),
        refused=refused,
        p50_ms=1e3 * quantile(every, 0.5),
        p99_ms=1e3 * quantile(every, 0.99),
    )


@pytest.mark.slow
async def test_polling_fails_nobody(versions, start_server, crowd_of, report, quantile):
    versions.publish(1)
    server = start_server(versions.repository, "--poll-s", 0.25, "--workers", 2)
    latest = 1
    crowd = crowd_of(server, classifiers=versions.classifiers)
    async with grpc.aio.insecure_channel(server.url) as channel, crowd, load_of(crowd) as replies:
        operator = Operator(channel)
        for number in range(2, 62):
            good = number % BAD_EVERY != 0
            versions.publish(number, good=good)
            latest = number if good else latest
            began = time.monotonic()
            while (entry := (await operator.entries()).get(str(number))) is None:
                assert time.monotonic() < began + 60
                await asyncio.sleep(0.05)
            assert entry.state == ("READY" if good else "UNAVAILABLE")
            assert bool(entry.reason) is not good
            assert (await operator.entries())[str(latest)].state == "READY"
            await asyncio.sleep(max(0.0, began + 1.0 - time.monotonic()))
    check_replies(replies, [])
    every = list(itertools.chain.from_iterable(replies))
    report(
        requests=len(every),
        versions=len({reply.version for reply in every}),
        p50_ms=1e3 * quantile(every, 0.5),
        p99_ms=1e3 * quantile(every, 0.99),
    )
    assert max(int(reply.version) for reply in every) == latest


def check_replies(replies, loaded):
    """All answered; no asker's version falls back; once a load is over, nobody serves what was before."""
    for asked in replies:
        assert [reply for reply in asked if not reply.answered] == []
        numbers = [int(reply.version) for reply in asked]
        assert numbers == sorted(numbers)
        for moment, version in loaded:
            assert all(int(reply.version) >= version for reply in asked if reply.started > moment)
