"""The server's life: reserve addresses, start workers, load, announce, look after all, drain, stop.

This process answers no inference and loads none of what that takes.
"""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence

from serving.errors import (
    ModelNotFound,
    ModelRefused,
    RepositoryError,
    RequestError,
    StartError,
    WorkerLost,
)
from serving.index import IndexEntry
from serving.log_lines import log_to_stderr
from serving.operations.exposition import ServerCounts
from serving.operations.metrics_server import start_metrics
from serving.operations.observing import check_observing
from serving.repository.rollout import Loading, Rollout
from serving.security.certificates import Certificates
from serving.security.exposure import exposures
from serving.security.tls import ssl_context
from serving.security.tokens import Tokens
from serving.settings import ServerSettings
from serving.workers.cores import oversubscription, usable_cores
from serving.workers.crew import Crew
from serving.workers.messages import (
    AnyMessage,
    Collect,
    Counted,
    Done,
    Drain,
    Failed,
    Live,
    Load,
    Open,
    Prepare,
    Start,
    Swap,
    Unload,
)
from serving.workers.ports import address_of, keep_port, listen, named

log = logging.getLogger(__name__)

Ask = Callable[[AnyMessage], Awaitable[AnyMessage]]

# Beyond the grace, for workers to close what they have open.
CLOSING_SECONDS = 5.0

# For the workers' counts, when metrics are asked for.
COUNTS_SECONDS = 5.0


async def supervise(settings: ServerSettings) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a signal that comes earlier ends the loading.

    Raises:
        RepositoryError: nothing can be served.
        AddressError: an address is taken or not this machine's.
        ObservationError: requests cannot be logged or traced as told.
        SecurityError: a certificate, key or token file cannot be used.
    """
    log_to_stderr()
    check_observing(settings.log)
    certificates = _checked_certificates(settings)
    stop = _stop_signal()
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(keep_port(settings.host, settings.port, "--port"))
        http = None
        addresses = [f"gRPC on {address_of(port, settings.host)}"]
        if settings.http_port is not None:
            http = stack.enter_context(listen(settings.host, settings.http_port, "--http-port"))
            addresses.insert(0, f"HTTP on {address_of(http, settings.host)}")
        supervisor = Supervisor(settings, port, http)
        if settings.metrics_port is not None:
            number, close = start_metrics(
                settings.host,
                settings.metrics_port,
                supervisor.counts,
                None if certificates is None else ssl_context(certificates),
            )
            stack.callback(close)
            addresses.insert(-1, f"metrics on {named(settings.host, number)}")
        if not await supervisor.begin_unless(stop):
            return
        sys.stderr.write(f"ready: {supervisor.served}, {', '.join(addresses)}\n")
        sys.stderr.flush()
        await supervisor.work(stop)


class Supervisor:
    """Holds the workers to what the repository and the clients ask for."""

    def __init__(self, settings: ServerSettings, port: socket.socket, http: socket.socket | None) -> None:
        self._settings = settings
        self._port = port
        self._http = http
        self._loop = asyncio.get_running_loop()
        address, number = address_of(port).rsplit(":", 1)
        self._crew = Crew(
            Start(
                settings=settings,
                address=address,
                port=int(number),
                http_socket=None if http is None else http.fileno(),
            ),
            size=settings.workers,
            answer=self._answer,
            bring_up=self._bring_up,
        )
        self._rollout = Rollout(
            settings.repository,
            model=settings.model,
            defaults=settings.defaults,
            prepare=self._prepare,
            swap=self._swap,
        )

    async def begin_unless(self, stop: asyncio.Event) -> bool:
        """Start the workers, load what the repository holds, take requests; whether it came to that.

        Raises:
            RepositoryError: nothing can be served.
            StartError: the workers die, cannot listen, or not log or trace requests as they are told.
        """
        begun = False
        try:
            begun = await _unless(stop, self._begin())
        except WorkerLost as error:
            raise StartError("no worker process came up: see above what ended them") from error
        finally:
            if not begun:
                await self._crew.kill()
        return begun

    async def _begin(self) -> None:
        await self._crew.start()
        await self._rollout.begin()
        self._warn_of_threads()
        for answer in await self._crew.ask_all(Open()):
            _require_done(answer, StartError)
        self._crew.opened()

    def _warn_of_threads(self) -> None:
        for each in self._rollout.live:
            too_many = oversubscription(
                workers=self._settings.workers,
                sessions=each.settings.sessions or 1,
                intra_op_threads=each.settings.intra_op_threads or 1,
                cores=usable_cores(),
            )
            if too_many is not None:
                log.warning("%s: %s", each.model, too_many)

    @property
    def served(self) -> str:
        """What is served, in a few words."""
        return ", ".join(f"{each.model} version {each.version}" for each in self._rollout.live)

    def counts(self) -> ServerCounts:
        """What has been counted, for another thread than the event loop's to ask."""
        asked = asyncio.run_coroutine_threadsafe(self._crew.counts(), self._loop)
        return ServerCounts(
            models=asked.result(COUNTS_SECONDS), workers=self._crew.ready, restarts=self._crew.restarts
        )

    async def work(self, stop: asyncio.Event) -> None:
        """Look after the workers until it is time to stop, then have them drain."""
        tasks = [asyncio.create_task(self._crew.look_after())]
        if self._settings.poll_s:
            tasks.append(asyncio.create_task(self._poll(self._settings.poll_s)))
        await stop.wait()
        if self._http is not None:
            self._http.close()  # else connections would wait here for workers that accept none any more
        for task in tasks:
            task.cancel()
        await self._crew.stop(Drain(), self._settings.grace_s + CLOSING_SECONDS)

    async def _poll(self, every_s: float) -> None:
        complaint = ""
        while True:
            await asyncio.sleep(every_s)
            try:
                await self._rollout.refresh()
                complaint = ""
            except (RepositoryError, WorkerLost) as error:
                if str(error) != complaint:  # once, not at every look
                    complaint = str(error)
                    log.warning("the repository was not looked through: %s", complaint)
            except Exception:
                log.exception("the repository was not looked through")

    async def _answer(self, message: AnyMessage) -> AnyMessage:
        try:
            match message:
                case Load():
                    await self._rollout.load(message.model)
                case Unload():
                    await self._rollout.unload(message.model)
                case Collect():
                    return Counted(counts=await self._crew.counts())
                case _:
                    raise ValueError(f"the supervisor does not answer {type(message).__name__}")
        except RequestError as error:
            return Done(refused=str(error), unknown=isinstance(error, ModelNotFound))
        except (RepositoryError, WorkerLost) as error:
            log.warning("%s was not done: %s", type(message).__name__, error)
            return Done(refused="the server cannot do it now, its log says why")
        return Done()

    async def _prepare(self, loading: Loading) -> None:
        for answer in await self._crew.ask_all(_order(loading)):
            _require_done(answer, ModelRefused)

    async def _swap(self, live: Sequence[Loading], index: Sequence[IndexEntry]) -> None:
        for answer in await self._crew.ask_all(_swap_order(live, index)):
            _require_done(answer, RepositoryError)

    async def _bring_up(self, ask: Ask, join: Callable[[], None]) -> None:
        """Make a new worker serve what the others do."""

        async def prepare(loading: Loading) -> None:
            _require_done(await ask(_order(loading)), ModelRefused)

        await self._rollout.bring_up(prepare, join)
        _require_done(await ask(Open()), StartError)


def _checked_certificates(settings: ServerSettings) -> Certificates | None:
    """Refuse files that no worker could use, before anything is loaded, and say what stands open."""
    certificates = None if settings.tls is None else Certificates(settings.tls)
    if settings.tokens is not None:
        Tokens(settings.tokens)
    for line in exposures(settings):
        log.warning(line)
    return certificates


def _order(loading: Loading) -> Prepare:
    return Prepare(
        model=loading.model,
        version=loading.version,
        generation=loading.generation,
        settings=loading.settings,
    )


def _swap_order(live: Sequence[Loading], index: Sequence[IndexEntry]) -> Swap:
    return Swap(
        live=tuple(Live(model=each.model, version=each.version, generation=each.generation) for each in live),
        index=tuple(index),
    )


def _require_done(answer: AnyMessage, error: type[Exception]) -> None:
    if isinstance(answer, Failed):
        raise error("a worker failed, its log has the details")
    if isinstance(answer, Done) and answer.refused:
        raise error(answer.refused)


async def _unless(stop: asyncio.Event, work: Awaitable[None]) -> bool:
    """Do some work to its end, unless told to stop; whether it was done."""
    task = asyncio.ensure_future(work)
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if stop.is_set():
        task.cancel()
        await asyncio.wait([task])
        return False
    task.result()
    return True


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
