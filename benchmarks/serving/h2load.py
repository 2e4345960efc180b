"""Load by `h2load`: closed loops of one fixed body, costing far less than a Python client would."""

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.serving.errors import BenchmarkError

INSTALL = "h2load is missing: install it (Debian, Ubuntu: apt-get install nghttp2-client)"
JSON_OPTIONS = ["--h1", "-H", "content-type: application/json"]
MAX_REQUESTS = 100_000_000  # the time ends a load, never this


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What was answered.

    Attributes:
        seconds: measured: from the last answer of the warm-up to the last one of all, so that a server which
            answers many at once is counted in whole batches.
        requests: answered in them with HTTP's 2xx.
        answered: likewise, of the whole load with its warm-up.
        failed: not answered, or otherwise.
        answer_bytes: of all bodies received.
        p50_ms: median of the time from a request to the end of its answer.
        p99_ms: what 99 % stay below.
    """

    seconds: float
    requests: int
    answered: int
    failed: int
    answer_bytes: int
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def require_h2load() -> None:
    """Say how to install the program if it is not there.

    Raises:
        BenchmarkError: it is not.
    """
    if shutil.which("h2load") is None:
        raise BenchmarkError(INSTALL)


def h2load(
    url: str, body: bytes, *, grpc: bool, in_flight: int, connections: int, warm_up_s: float, seconds: float
) -> Load:
    """Keep requests in flight for a while.

    Args:
        url: of the method.
        body: of each request.
        grpc: over HTTP/2; JSON over HTTP/1.1 otherwise, where each request in flight needs a connection.
        in_flight: at the same time, over all connections.
        connections: that share them evenly.
        warm_up_s: how long before anything counts.
        seconds: how long after that.

    Raises:
        BenchmarkError: h2load failed, or nothing was answered.
    """
    if not grpc:
        connections = in_flight
    with tempfile.TemporaryDirectory() as folder:
        sent, log = Path(folder) / "body", Path(folder) / "log"
        sent.write_bytes(body)
        command = ["h2load", "-n", str(MAX_REQUESTS), "-D", f"{1000 * (warm_up_s + seconds):.0f}ms"]
        command += ["-c", str(connections), "-m", str(in_flight // connections), "-d", str(sent)]
        command += [f"--log-file={log}"]
        command += ["-H", "content-type: application/grpc", "-H", "te: trailers"] if grpc else JSON_OPTIONS
        done = subprocess.run([*command, url], capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchmarkError(f"h2load failed: {done.stderr.strip() or done.stdout[-300:]}")
        return parse(done.stdout, log.read_text(), warm_up_s)


def parse(output: str, log: str, warm_up_s: float) -> Load:
    """Read what h2load says.

    Args:
        output: its standard output.
        log: a line a request: start in µs, HTTP status, duration in µs.
        warm_up_s: from the first request on, that do not count.

    Raises:
        BenchmarkError: nothing was answered.
    """
    requests = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", output)
    traffic = re.search(r"\((\d+)\) data", output)
    if requests is None or traffic is None or not int(requests[1]):
        raise BenchmarkError(f"h2load got no answer: {requests[0] if requests else output[-300:]}")
    rows = [line.split("\t") for line in log.splitlines()]
    begun = np.array([int(row[0]) for row in rows], dtype=np.int64)
    took = np.array([int(row[2]) if row[1] == "200" else -1 for row in rows], dtype=np.int64)
    ended = (begun + took)[took >= 0]
    first = begun.min() + 1e6 * warm_up_s
    since = ended[ended <= first].max(initial=begun.min())
    counted = ended > since
    if not counted.any():
        raise BenchmarkError("h2load got no answer after the warm-up")
    p50, p99 = np.percentile(took[took >= 0][counted] / 1000, [50, 99])
    return Load(
        seconds=float(ended.max() - since) / 1e6,
        requests=int(counted.sum()),
        answered=int(requests[1]),
        failed=sum(int(requests[group]) for group in (2, 3, 4)),
        answer_bytes=int(traffic[1]),
        p50_ms=float(p50),
        p99_ms=float(p99),
    )
