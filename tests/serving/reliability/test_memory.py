"""Memory under half an hour of mixed load rises by no more than gRPC itself keeps, and a leak would be seen.

`KERAPORT_TEST_SOAK_S` sets another time, in seconds.
"""

import asyncio
import http.client
import itertools
import json
import os
import random
import statistics
import time
from urllib.parse import urlsplit

import grpc.aio
import numpy as np
import pytest

from serving.proto.methods import METHODS

SOAK_S = float(os.environ.get("KERAPORT_TEST_SOAK_S", "1800"))
MIB = 1 << 20
OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1),)
# In the planted leak, over the whole time.
LEAKED_BYTES = 24 * MIB
ASKERS = 4
SAMPLES = 400
# Before it: caches and arenas fill, batches of every size are seen.
WARM_UP = 0.25
BLOCKS = 24
Z = 2.576  # two-sided, 99 %
# Of each request: what a handler that does nothing was seen to keep, 3 to 15 bytes.
KEPT_BYTES = 8

LEAK = """
import os, threading, time

def leak():
    kept = []
    while True:
        kept.append(os.urandom(4096))
        time.sleep(4096 / {rate})

threading.Thread(target=leak, daemon=True).start()
"""


def slope_of(times, values):
    """Theil and Sen's slope of block medians after the warm-up, and its 99 % interval (Sen 1968)."""
    cut = int(WARM_UP * len(times))
    blocks = [
        (statistics.median(t), statistics.median(v))
        for t, v in zip(
            np.array_split(times[cut:], BLOCKS), np.array_split(values[cut:], BLOCKS), strict=True
        )
    ]
    slopes = sorted((v2 - v1) / (t2 - t1) for (t1, v1), (t2, v2) in itertools.combinations(blocks, 2))
    spread = Z * (BLOCKS * (BLOCKS - 1) * (2 * BLOCKS + 5) / 18) ** 0.5
    low, high = int((len(slopes) - spread) / 2), int((len(slopes) + spread) / 2) + 1
    return statistics.median(slopes), slopes[max(0, low)], slopes[min(len(slopes) - 1, high)]


@pytest.mark.slow
@pytest.mark.timeout(SOAK_S + 600)
async def test_memory_stays_and_a_leak_would_be_seen(
    tmp_path, publish_classifier, start_server, crowd_of, memory_of, report
):
    publish_classifier(tmp_path / "models", idle_turns=200)
    planted = tmp_path / "planted"
    planted.mkdir()
    (planted / "sitecustomize.py").write_text(LEAK.format(rate=LEAKED_BYTES / 2 / SOAK_S))
    servers = {
        "clean": start_server(tmp_path / "models"),
        "leaking": start_server(tmp_path / "models", python_path=(planted,)),
    }
    times, values, asked = [], {name: [] for name in servers}, {}
    loads = [asyncio.create_task(mixed_load(server, crowd_of(server))) for server in servers.values()]
    began = time.monotonic()
    while (now := time.monotonic() - began) < SOAK_S:
        times.append(now)
        for name, server in servers.items():
            values[name].append(memory_of(server))
        await asyncio.sleep(max(0.25, SOAK_S / SAMPLES))
    for load, name in zip(loads, servers, strict=True):
        asked[name] = await load
    slopes = {name: slope_of(times, values[name]) for name in servers}
    for name, (slope, low, high) in slopes.items():
        report(
            server=name,
            minutes=SOAK_S / 60,
            requests=asked[name],
            first_mib=values[name][0] / MIB,
            last_mib=values[name][-1] / MIB,
            kib_per_minute=slope * 60 / 1024,
            low=low * 60 / 1024,
            high=high * 60 / 1024,
        )
    allowed = {name: KEPT_BYTES * asked[name] / SOAK_S for name in servers}
    assert slopes["clean"][1] <= allowed["clean"]
    assert slopes["leaking"][1] > allowed["leaking"]


class Client:
    """Asks for all kinds of things, good and bad, one at a time."""

    def __init__(self, server, crowd, asker):
        self._crowd = crowd
        self._url = server.url
        self._chance = random.Random(asker)  # noqa: S311
        self._numbers = itertools.count(asker, ASKERS)
        self._channel = grpc.aio.insecure_channel(server.url, options=OWN_CONNECTION)
        self._rest = http.client.HTTPConnection(urlsplit(server.http_url).netloc, timeout=60)

    async def ask_until(self, moment):
        """How many requests there were."""
        # None is cancelled: of each that is gRPC keeps some 60 bytes, before an empty handler too.
        kinds = (self._rows, self._stream, self._nonsense, self._looks, self._connects, self._asks_http)
        count = 0
        while time.monotonic() < moment:
            await self._chance.choices(kinds, (6, 2, 2, 2, 1, 1))[0]()
            count += 1
        await self._channel.close()
        self._rest.close()
        return count

    async def _rows(self):
        reply = await self._crowd.ask(next(self._numbers), self._chance.randint(1, 64))
        assert reply.answered

    async def _stream(self):
        call = self._channel.stream_stream(METHODS["ModelStreamInfer"].path)()
        size = self._chance.randint(1, 16)
        for _ in range(size):
            rows = self._chance.randint(1, 8)
            await call.write(self._crowd.message(next(self._numbers), rows, "digits"))
        await call.done_writing()
        assert len([answer async for answer in call]) == size

    async def _nonsense(self):
        number = next(self._numbers)
        content = self._crowd.message(number, 2, "digits")
        unknown = self._crowd.message(number, 1, f"model{number}")
        with pytest.raises(grpc.aio.AioRpcError):
            await self._call("ModelInfer", self._chance.choice((content[:-1], b"\xff" * 100, unknown)))

    async def _looks(self):
        name = self._chance.choice(("ModelMetadata", "ModelConfig", "ModelStatistics"))
        await self._call(name, METHODS[name].request(name="digits").SerializeToString())

    async def _connects(self):
        async with grpc.aio.insecure_channel(self._url, options=OWN_CONNECTION) as another:
            await another.unary_unary(METHODS["ServerLive"].path)(b"")

    async def _asks_http(self):
        images = self._crowd.images(next(self._numbers), self._chance.randint(1, 8))
        tensor = {
            "name": "image",
            "datatype": "UINT8",
            "shape": images.shape,
            "data": images.ravel().tolist(),
        }
        assert await asyncio.to_thread(self._post, json.dumps({"inputs": [tensor]})) == 200

    def _post(self, content):
        self._rest.request("POST", "/v2/models/digits/infer", content)
        response = self._rest.getresponse()
        json.loads(response.read())
        return response.status

    async def _call(self, name, content):
        return await self._channel.unary_unary(METHODS[name].path)(content, timeout=60)


async def mixed_load(server, crowd):
    """Several clients for the time of the soak; how many requests there were."""
    until = time.monotonic() + SOAK_S
    async with crowd:
        clients = [Client(server, crowd, asker) for asker in range(ASKERS)]
        return sum(await asyncio.gather(*(client.ask_until(until) for client in clients)))


def test_slopes_of_known_series():
    """Noise and early growth are no slope; a leak of a hundredth in all is, also beneath noise."""
    noise = np.random.default_rng(3).normal(0, 0.2 * MIB, SAMPLES)
    times = np.linspace(0, 1800, SAMPLES)
    warm = 400 * MIB + noise - 50 * MIB * np.exp(-times / 60)
    _, low, high = slope_of(times, warm)
    assert low <= 0 <= high
    _, low, _ = slope_of(times, warm + 4 * MIB * times / 1800)
    assert low > 0
