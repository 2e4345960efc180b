"""One model and what its servers are asked: started, checked, measured in turn, checked again, ended."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving import answers, asking
from benchmarks.serving.body import Request, infer_request
from benchmarks.serving.environments import python_of
from benchmarks.serving.errors import BenchmarkError
from benchmarks.serving.h2load import Load, h2load
from benchmarks.serving.models import Model
from benchmarks.serving.plan import warm_up_s
from benchmarks.serving.processes import ServerProcess, free_port, running
from benchmarks.serving.results import Bare, Cell, Measurement, Start
from benchmarks.serving.servers import PEERS, Order, Server

STREAM_PATH = "/inference.GRPCInferenceService/ModelStreamInfer"
SCRIPT_GRACE_S = 120.0
IDLE_S = 1.0
PACED_WARM_UP_S = 0.5
SETTLE_S, SETTLE_WITHIN_S, IDLE_CORES = 0.15, 30.0, 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that answers rightly.

    Attributes:
        server: which.
        port: where.
        process: its own.
        answer_bytes: as h2load counts them, by the request's rows.
    """

    server: Server
    port: int
    process: ServerProcess
    answer_bytes: dict[int, int]


class Stage:
    """One model, the requests for it and the right answers."""

    def __init__(self, model: Model, rows: Sequence[int], workers: int, folder: Path) -> None:
        self.model = model
        self.workers = workers
        self._folder = folder
        reference = answers.Reference(model.path)
        self._requests: dict[int, Request] = {
            each: infer_request(model.name, model.shape, each) for each in sorted({1, *rows})
        }
        self._right = {each: reference.answer(request.images) for each, request in self._requests.items()}
        self._answers = folder / "answers"
        self._answers.mkdir(parents=True)
        for each, request in self._requests.items():
            path = self._answers / str(len(request.message))
            path.write_bytes(answers.message_of(self._right[each], model.name))

    @contextlib.contextmanager
    def start(self, server: Server) -> Iterator[Running]:
        """Start a server and check its answers; it is ended on the way out.

        Raises:
            BenchmarkError: it does not start, or answers wrongly.
        """
        port, folder = free_port(), self._folder / server.name
        folder.mkdir(exist_ok=True)
        order = Order(
            model=self.model,
            port=port,
            workers=self.workers,
            folder=folder,
            answers=self._answers,
            python=python_of(server.environment),
        )

        def ready() -> bool:
            return asking.answers_yet(server.wire, port, self._requests[1])

        with running(server.command(order), folder / "log", ready, within_s=server.ready_s) as process:
            started = Running(server=server, port=port, process=process, answer_bytes={})
            self.verify(started)
            if server.restless:
                process.stop()
            yield started

    def verify(self, running: Running) -> None:
        """See that a server answers rightly.

        Raises:
            BenchmarkError: it does not.
        """
        running.process.require_alive()
        with awake(running):
            for rows, request in self._requests.items():
                length = asking.verify(running.server.wire, running.port, request, self._right[rows])
                running.answer_bytes[rows] = length

    def state(self, running: Running, start_s: tuple[float, ...]) -> Start:
        """What starting took, and what the server holds now."""
        with awake(running):
            return Start(
                server=running.server.name,
                model=self.model.name,
                workers=self.workers,
                start_s=start_s,
                resident_mib=running.process.resident_mib(),
                idle_cores=_cores(running.process, IDLE_S),
            )

    def measure(self, running: Running, cell: Cell, seconds: float, number: int) -> Measurement:
        """Load one server.

        Raises:
            BenchmarkError: it failed, or answered otherwise than before.
        """
        running.process.require_alive()
        wire = running.server.wire
        # One connection would reach one worker alone.
        connections = 1 if self.workers == 1 else cell.in_flight

        with awake(running):
            cpu_s = running.process.cpu_s()
            load = h2load(
                f"http://127.0.0.1:{running.port}{wire.path}",
                wire.body(self._requests[cell.rows]),
                grpc=wire.grpc,
                in_flight=cell.in_flight,
                connections=connections,
                warm_up_s=warm_up_s(running.server, cell),
                seconds=seconds,
            )
            cpu_us = 1e6 * (running.process.cpu_s() - cpu_s) / load.answered
            _settle(running.process)
        _require_whole_answers(load, running.answer_bytes[cell.rows], cell.in_flight)
        return Measurement(server=running.server.name, cell=cell, round=number, load=load, cpu_us=cpu_us)

    def bare(self, cell: Cell, seconds: float, number: int) -> Bare:
        """Run the onnxruntime loop."""
        figures = _script("bare.py", self.model.path, cell.rows, seconds)
        return Bare(cell=cell, round=number, **figures)

    def ask(self, running: Running, way: str, cell: Cell, seconds: float) -> dict[str, Any]:
        """Have the Python client ask for single rows in a closed loop; rate, p50_ms and p99_ms.

        Raises:
            BenchmarkError: it failed.
        """
        running.process.require_alive()
        path = STREAM_PATH if way == "stream" else running.server.wire.path
        warm = warm_up_s(running.server, cell)
        return _script(
            "client.py", running.port, path, self._message(running), way, cell.in_flight, warm, seconds
        )

    def pace(self, running: Running, arrivals: str, rate: float, seconds: float) -> dict[str, Any]:
        """Ask for single rows when they are due; kept, p50_ms, p99_ms and failed.

        Raises:
            BenchmarkError: nothing was answered.
        """
        running.process.require_alive()
        path, length = running.server.wire.path, running.answer_bytes[1]
        arguments = (self._message(running), arrivals, rate, length, PACED_WARM_UP_S, seconds)
        with awake(running):
            figures = _script("open_loop.py", running.port, path, *arguments)
            _settle(running.process)
            return figures

    def _message(self, running: Running) -> Path:
        path = self._folder / running.server.name / "message"
        path.write_bytes(running.server.wire.message(self._requests[1]))
        return path


@contextlib.contextmanager
def awake(running: Running) -> Iterator[None]:
    """Have a restless server go on for a while."""
    if not running.server.restless:
        yield
        return
    running.process.go_on()
    _settle(running.process)
    try:
        yield
    finally:
        running.process.stop()


def _settle(process: ServerProcess) -> None:
    """Wait until a server has done with what nobody waits for any more, such as a batch under way."""
    deadline = time.monotonic() + SETTLE_WITHIN_S
    while _cores(process, SETTLE_S) > IDLE_CORES and time.monotonic() < deadline:
        pass


def _cores(process: ServerProcess, seconds: float) -> float:
    """CPU seconds a second that a server takes in the time to come."""
    before = process.cpu_s()
    time.sleep(seconds)
    return (process.cpu_s() - before) / seconds


def _require_whole_answers(load: Load, answer_bytes: int, in_flight: int) -> None:
    """Refuse a load whose answers were of another length than the right ones: gRPC's errors are 200, too.

    An answer that has begun to come at the end is in one figure and not in the other.
    """
    expected = load.answered * answer_bytes
    if load.failed or not 0 <= load.answer_bytes - expected <= in_flight * answer_bytes:
        raise BenchmarkError(
            f"{load.failed} requests failed, and {load.answered} answers had {load.answer_bytes:,} bytes "
            f"together, not {expected:,}"
        )


def _script(name: str, *arguments: object) -> dict[str, Any]:
    """Run a script of `peers/` in this environment and read what it prints.

    Raises:
        BenchmarkError: it failed.
    """
    command = [sys.executable, str(PEERS / name), *map(str, arguments)]
    timeout = float(str(arguments[-1])) + SCRIPT_GRACE_S
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"{name} took over {timeout:.0f} s") from error
    if done.returncode:
        raise BenchmarkError(f"{name} failed: {done.stderr.strip()[-300:]}")
    return dict(json.loads(done.stdout))
