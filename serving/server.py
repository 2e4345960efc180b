"""The server's life: load, listen, announce, serve, drain, stop."""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc.aio
from grpc_health.v1 import health, health_pb2

from serving.batcher import Batcher
from serving.errors import AddressError
from serving.handlers import generic_handlers
from serving.proto.methods import MAX_MESSAGE_BYTES, SERVICE
from serving.repository.loading import load_repository
from serving.service import InferenceService, ServedModel
from serving.session import Session
from serving.settings import ModelSettings

CHANNEL_OPTIONS = (
    ("grpc.so_reuseport", 0),  # else a second server on the port would silently share its requests
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
)

# Between the last answer and the end: clients that ask again at once read a clean UNAVAILABLE from the
# service, where gRPC would answer a request that meets its shutdown with CANCELLED.
SETTLE_SECONDS = 0.1

# For answers on their way out once all are made; streams such as health's Watch never end by themselves.
FLUSH_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """What `keraport serve` is told.

    Attributes:
        repository: the folder of published models.
        model: serve this one alone; None for all.
        host: to listen on.
        port: gRPC's; 0 takes any free one.
        limits: of batches and queues.
        grace_s: how long accepted requests may still take when the server is told to stop.
        allow_unverified: serve artifacts without a passing verdict, too.
    """

    repository: Path
    model: str | None
    host: str
    port: int
    limits: ModelSettings
    grace_s: float
    allow_unverified: bool


async def serve_until_stopped(options: ServerOptions) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a signal that comes earlier ends the loading.

    Raises:
        RepositoryError: nothing can be served.
        AddressError: the address is taken or not this machine's.
    """
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s: %(message)s")
    stop = _stop_signal()
    server = grpc.aio.server(options=CHANNEL_OPTIONS)
    port = _listen(server, options.host, options.port)
    # In a thread, for the loop must run to hear of signals.
    sessions = await asyncio.to_thread(
        load_repository,
        options.repository,
        model=options.model,
        allow_unverified=options.allow_unverified,
        max_rows=options.limits.max_batch_rows,
        stopping=stop.is_set,
    )
    if stop.is_set():
        return
    async with contextlib.AsyncExitStack() as stack:
        models = {
            name: ServedModel(
                session=session,
                batcher=await stack.enter_async_context(Batcher([session.run], options.limits)),
            )
            for name, session in sessions.items()
        }
        service = InferenceService(models, options.limits)
        health_service = health.aio.HealthServicer()
        await health_service.set(SERVICE.full_name, health_pb2.HealthCheckResponse.SERVING)
        server.add_generic_rpc_handlers(generic_handlers(service, health_service))
        await server.start()
        sys.stderr.write(f"{ready_line(sessions, options.host, port)}\n")
        await stop.wait()
        await _drain(server, service, health_service, options.grace_s)


def ready_line(sessions: Mapping[str, Session], host: str, port: int) -> str:
    """What is written once requests are taken; scripts wait for it and read the address."""
    served = ", ".join(f"{session.name} version {session.version}" for session in sessions.values())
    return f"ready: {served}, gRPC on {_address(host, port)}"


async def _drain(
    server: grpc.aio.Server,
    service: InferenceService,
    health_service: health.aio.HealthServicer,
    grace_s: float,
) -> None:
    """Refuse what is new, answer what was accepted, stop."""
    service.draining = True
    await health_service.enter_graceful_shutdown()
    try:
        await asyncio.wait_for(service.drained(), grace_s)
        await asyncio.sleep(SETTLE_SECONDS)
    except TimeoutError:
        logging.getLogger(__name__).warning("requests were cut off after %g s of grace", grace_s)
    await server.stop(FLUSH_SECONDS)


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _listen(server: grpc.aio.Server, host: str, port: int) -> int:
    try:
        return server.add_insecure_port(_address(host, port))
    except RuntimeError as error:
        reason = _why_not(host, port)
        raise AddressError(
            f"cannot listen on {_address(host, port)} ({reason}): "
            "stop what listens there, or give another --port or --host"
        ) from error


def _why_not(host: str, port: int) -> str:
    """What the operating system says of an address; gRPC's error does not say it."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.bind(address)
    except OSError as error:
        return error.strerror or str(error)
    return "gRPC refuses the address"


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
