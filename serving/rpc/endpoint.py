"""gRPC's port: listen, say whether the server is ready, stop."""

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2

from serving.engine import Engine
from serving.errors import AddressError
from serving.proto.methods import MAX_MESSAGE_BYTES, SERVICE
from serving.rpc.handlers import generic_handlers
from serving.rpc.service import InferenceService

CHANNEL_OPTIONS = (
    # Every worker listens on the port, which the supervisor keeps from others.
    ("grpc.so_reuseport", 1),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
)

# For answers on their way out once all are made; streams such as health's Watch never end by themselves.
FLUSH_SECONDS = 1.0


class GrpcEndpoint:
    """A grpc.aio server of an engine."""

    def __init__(self, engine: Engine, *, repository_control: bool) -> None:
        self._service = InferenceService(engine, repository_control=repository_control)
        self._health = health.aio.HealthServicer()

    async def open(self, address: str) -> None:
        """Listen.

        Raises:
            AddressError: gRPC cannot.
        """
        self._server = grpc.aio.server(options=CHANNEL_OPTIONS)
        try:
            self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise AddressError(f"gRPC cannot listen on {address}: give another --port or --host") from error
        await self._health.set(SERVICE.full_name, health_pb2.HealthCheckResponse.SERVING)
        self._server.add_generic_rpc_handlers(generic_handlers(self._service, self._health))
        await self._server.start()

    async def refuse(self) -> None:
        """Say that the server is not ready."""
        await self._health.enter_graceful_shutdown()

    async def close(self) -> None:
        """Stop to listen."""
        await self._server.stop(FLUSH_SECONDS)
