"""gRPC's port: listen, say whether the server is ready, stop."""

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2

from serving.engine import Engine
from serving.errors import AddressError
from serving.operations.watching import Watcher
from serving.proto.methods import SERVICE
from serving.rpc.channel_options import channel_options
from serving.rpc.guard import guarded
from serving.rpc.handlers import generic_handlers
from serving.rpc.reception import Reception
from serving.rpc.service import InferenceService
from serving.security.certificates import Certificates
from serving.security.tls import grpc_credentials
from serving.security.tokens import Tokens
from serving.settings import Limits

# For answers on their way out once all are made; streams such as health's Watch never end by themselves.
FLUSH_SECONDS = 1.0


class GrpcEndpoint:
    """A grpc.aio server of an engine."""

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
        service = InferenceService(engine, Reception(watcher))
        handlers = generic_handlers(service, self._health)
        if tokens is not None:
            handlers = tuple(guarded(handler, tokens, watcher) for handler in handlers)
        # Every worker listens on the port, which the supervisor keeps from others.
        options = channel_options(limits, reuse_port=True, max_connections=max_connections)
        self._server = grpc.aio.server(options=options)
        self._server.add_generic_rpc_handlers(handlers)

    async def open(self, address: str, certificates: Certificates | None) -> None:
        """Listen.

        Args:
            address: as gRPC writes it.
            certificates: for TLS; None for none.

        Raises:
            AddressError: gRPC cannot.
        """
        try:
            if certificates is None:
                self._server.add_insecure_port(address)
            else:
                self._server.add_secure_port(address, grpc_credentials(certificates))
        except RuntimeError as error:
            raise AddressError(f"gRPC cannot listen on {address}: give another --port or --host") from error
        await self._health.set(SERVICE.full_name, health_pb2.HealthCheckResponse.SERVING)
        await self._server.start()

    async def refuse(self) -> None:
        """Say that the server is not ready."""
        await self._health.enter_graceful_shutdown()

    async def close(self) -> None:
        """Stop to listen."""
        await self._server.stop(FLUSH_SECONDS)
