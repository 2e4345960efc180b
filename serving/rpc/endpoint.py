"""gRPC's port: listen, say whether the server is ready, stop."""

from grpc_health.v1 import health, health_pb2

from serving.engine import Engine
from serving.operations.watching import Watcher
from serving.proto.methods import SERVICE
from serving.rpc.channel_options import channel_options
from serving.rpc.guard import guard
from serving.rpc.handlers import handlers_of
from serving.rpc.reception import Reception
from serving.rpc.server import Server
from serving.rpc.service import InferenceService
from serving.security.certificates import Certificates
from serving.security.tls import grpc_credentials
from serving.security.tokens import Tokens
from serving.settings import Limits

# For streams that never end by themselves, such as health's Watch.
FLUSH_SECONDS = 1.0


class GrpcEndpoint:
    """A gRPC server of an engine."""

    def __init__(
        self, engine: Engine, watcher: Watcher, tokens: Tokens | None, limits: Limits, *, max_connections: int
    ) -> None:
        """Prepare to listen.

        Args:
            engine: runs the models.
            watcher: tells of requests.
            tokens: say who may; None to let all in.
            limits: of messages and headers.
            max_connections: at the same time.
        """
        self._health = health.aio.HealthServicer()
        handlers = handlers_of(InferenceService(engine, Reception(watcher)), self._health)
        self._server = Server(
            handlers.unary,
            handlers.streams,
            # Every worker listens on the port, which the supervisor keeps from others.
            options=channel_options(limits, reuse_port=True, max_connections=max_connections),
            admit=None if tokens is None else guard(tokens, watcher),
        )

    async def open(self, address: str, certificates: Certificates | None) -> None:
        """Listen.

        Args:
            address: as gRPC writes it.
            certificates: for TLS; None for none.

        Raises:
            AddressError: gRPC cannot.
        """
        self._server.listen(address, None if certificates is None else grpc_credentials(certificates))
        await self._health.set(SERVICE.full_name, health_pb2.HealthCheckResponse.SERVING)
        self._server.start()

    async def refuse(self) -> None:
        """Say that the server is not ready."""
        await self._health.enter_graceful_shutdown()

    async def flushed(self) -> None:
        """Wait until all answers have left."""
        await self._server.flushed()

    async def close(self) -> None:
        """Stop to listen."""
        await self._server.stop(FLUSH_SECONDS)
