"""Who asks a server under test: requests that can be told apart, answers held against numpy."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import grpc.aio
import numpy as np
import pytest
from grpc import StatusCode

from serving.codec import decode, encode
from serving.proto import inference_pb2 as pb
from serving.proto.methods import MAX_MESSAGE_BYTES, METHODS

CHANNEL_OPTIONS = (
    ("grpc.use_local_subchannel_pool", 1),  # else all channels to one address share a connection
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
)

# For answers that must come: whoever waits so long waits for ever.
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What became of one request."""

    number: int
    code: StatusCode
    text: str
    answer: bytes
    version: str = ""
    started: float
    ended: float

    @property
    def answered(self) -> bool:
        return self.code is StatusCode.OK

    @property
    def seconds(self) -> float:
        return self.ended - self.started


class Crowd:
    """Connections to a server of classifiers; every request's rows are drawn from its number alone."""

    def __init__(self, url, classifiers, connections):
        self._classifiers = classifiers
        self._channels = [grpc.aio.insecure_channel(url, options=CHANNEL_OPTIONS) for _ in range(connections)]
        self._infer = [channel.unary_unary(METHODS["ModelInfer"].path) for channel in self._channels]
        self._stream = [channel.stream_stream(METHODS["ModelStreamInfer"].path) for channel in self._channels]
        self._live = [channel.unary_unary(METHODS["ServerLive"].path) for channel in self._channels]

    async def __aenter__(self):
        await asyncio.gather(*(channel.channel_ready() for channel in self._channels))
        return self

    async def __aexit__(self, *_):
        await asyncio.gather(*(channel.close() for channel in self._channels))

    def images(self, number, rows):
        """Rows that no other number has; 255 is left out, for the classifier fails on some."""
        return np.random.default_rng(number).integers(0, 255, (rows, 28, 28, 1), dtype=np.uint8)

    def message(self, number, rows, model):
        request = pb.ModelInferRequest(model_name=model, id=str(number))
        encode({"image": self.images(number, rows)}, request.inputs, request.raw_input_contents)
        return request.SerializeToString()

    async def ask(self, number, rows=1, *, model="digits", patience_s=PATIENCE_S) -> Reply:
        """Send one request; a wrong answer is an assertion's failure, a refusal is a reply."""
        reply = await self.send(number, self.message(number, rows, model), patience_s=patience_s)
        return self.checked(reply, number, rows, model)

    async def send(self, number, content, *, patience_s=PATIENCE_S) -> Reply:
        """The same with a message made before and an answer yet to be checked, to be quick."""
        infer = self._infer[number % len(self._infer)]
        started = time.monotonic()
        try:
            code, text, answer = StatusCode.OK, "", await infer(content, timeout=patience_s)
        except grpc.aio.AioRpcError as error:
            code, text, answer = error.code(), error.details() or "", b""
        ended = time.monotonic()
        return Reply(number=number, code=code, text=text, answer=answer, started=started, ended=ended)

    async def stream(self, numbers, rows, *, model="digits") -> int:
        """Send requests on one stream, check its answers and their order; how many there were."""
        sent = (self.message(number, rows[number], model) for number in numbers)
        call = self._stream[numbers[0] % len(self._stream)](sent, timeout=PATIENCE_S)
        answers = [pb.ModelStreamInferResponse.FromString(answer) async for answer in call]
        for number, answer in zip(numbers, answers, strict=True):
            assert not answer.error_message
            self._check(answer.infer_response, number, rows[number], model)
        return len(answers)

    def checked(self, reply, number, rows=1, model="digits") -> Reply:
        """The reply with its version, once its answer was held against that of the number's rows."""
        if not reply.answered:
            return reply
        response = pb.ModelInferResponse.FromString(reply.answer)
        self._check(response, number, rows, model)
        return replace(reply, version=response.model_version, answer=b"")

    def _check(self, response, number, rows, model):
        assert (response.id, response.model_name) == (str(number), model)
        outputs = decode(response.outputs, response.raw_output_contents)
        expected = self._classifiers[response.model_version].expected(self.images(number, rows))
        assert outputs.keys() == expected.keys()
        for name, array in expected.items():
            np.testing.assert_allclose(outputs[name], array, atol=1e-4, err_msg=f"{name} of {number}")

    async def arrived(self):
        """Return once the server has taken in what was sent before on any of the connections.

        A connection carries requests in their order, and the server begins them in it, too.
        """
        await asyncio.sleep(0)
        for _ in range(2):
            await asyncio.gather(*(live(b"") for live in self._live))


@pytest.fixture
def crowd_of(classifier):
    """Make a crowd for a server; where there are versions beyond 1, with the classifier of each."""

    def make(server, *, connections=4, classifiers=None):
        return Crowd(server.url, {"1": classifier} if classifiers is None else classifiers, connections)

    return make


@pytest.fixture
def report(record_property, request):
    """Record and print figures, which nothing asserts."""

    def report(**figures):
        for name, value in figures.items():
            record_property(name, value)
        text = ", ".join(
            f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in figures.items()
        )
        sys.stdout.write(f"\n{request.node.name}: {text}\n")

    return report


@pytest.fixture
def quantile():
    def quantile(replies: Sequence[Reply], share: float) -> float:
        return float(np.quantile([reply.seconds for reply in replies], share))

    return quantile


@pytest.fixture(scope="session")
def family_of():
    """The processes of a server: its own and all that descend from it."""

    def family_of(server) -> list[int]:
        parents = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                parents[int(folder.name)] = int(fields[1])
        family = [server.process.pid]
        for pid in family:
            family += [child for child, parent in parents.items() if parent == pid]
        return family

    return family_of


@pytest.fixture(scope="session")
def memory_of(family_of):
    """What a server's processes hold together, in bytes; `VmHWM` for the most that each ever held."""

    def memory_of(server, kind="VmRSS") -> int:
        found = 0
        for pid in family_of(server):
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            found += sum(int(line.split()[1]) for line in lines if line.startswith(f"{kind}:"))
        return found * 1024

    return memory_of
