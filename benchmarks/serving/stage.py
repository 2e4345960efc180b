"""One model with all servers of it: started, checked, measured in turn, checked again, ended."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving import answers, asking
from benchmarks.serving.body import Request, infer_request
from benchmarks.serving.environments import python_of
from benchmarks.serving.h2load import h2load
from benchmarks.serving.models import Model
from benchmarks.serving.processes import ServerProcess, free_port, running
from benchmarks.serving.results import Measurement, Start
from benchmarks.serving.servers import Order, Server

# Of a load's answers: what was under way at its beginning or end is counted in one figure and not the other.
BYTES_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that answers rightly.

    Attributes:
        server: which.
        port: where.
        process: its own.
    """

    server: Server
    port: int
    process: ServerProcess


class Stage:
    """Servers of one model, ready to be measured."""

    def __init__(self, model: Model, rows: Sequence[int], workers: int, folder: Path) -> None:
        self.model = model
        self._workers = workers
        self._folder = folder
        reference = answers.Reference(model.path)
        self.requests: dict[int, Request] = {
            each: infer_request(model.name, model.shape, each) for each in sorted({1, *rows})
        }
        self.right = {each: reference.answer(request.images) for each, request in self.requests.items()}
        self._answers = folder / "answers"
        self._answers.mkdir(parents=True)
        for each, request in self.requests.items():
            path = self._answers / str(len(request.message))
            path.write_bytes(answers.message_of(self.right[each], model.name))

    @contextlib.contextmanager
    def start(self, server: Server) -> Iterator[Running]:
        """Start a server and check its answers; check them again before it is ended."""
        port, folder = free_port(), self._folder / server.name
        folder.mkdir(parents=True, exist_ok=True)
        order = Order(
            model=self.model,
            port=port,
            workers=self._workers,
            folder=folder,
            answers=self._answers,
            python=python_of(server.environment),
        )

        def ready() -> bool:
            return asking.answers_yet(server, port, self.requests[1], self.right[1])

        with running(server.command(order), folder / "log", ready, within_s=server.ready_s) as process:
            asking.verify(server, port, self.requests, self.right)
            yield Running(server=server, port=port, process=process)

    def start_of(self, running: Running) -> Start:
        """What starting took, and what the server holds."""
        return Start(
            server=running.server.name,
            model=self.model.name,
            workers=self._workers,
            start_s=running.process.start_s,
            resident_mib=running.process.resident_mib(),
        )

    def load(
        self, running: Running, *, rows: int, in_flight: int, seconds: float, number: int
    ) -> Measurement:
        """Load one server."""
        running.process.require_alive()
        connections = in_flight if self._workers > 1 else 1
        cpu_s, began = running.process.cpu_s(), time.perf_counter()
        load = h2load(
            running.server.target(running.port),
            running.server.body(self.requests[rows]),
            in_flight=in_flight,
            connections=connections,
            seconds=seconds,
        )
        cores = (running.process.cpu_s() - cpu_s) / (time.perf_counter() - began)
        return Measurement(
            server=running.server.name,
            model=self.model.name,
            workers=self._workers,
            rows=rows,
            in_flight=in_flight,
            round=number,
            load=load,
            cores=cores,
        )
