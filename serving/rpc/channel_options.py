"""What gRPC's core lets one client take, and how long it bears with one that is silent."""

from dataclasses import dataclass

from serving.settings import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a connection may go without what is due, in seconds.

    Attributes:
        handshake_s: to finish TLS, and to begin HTTP/2.
        ping_s: of silence, after which the client is asked whether it is still there.
        pong_s: for its answer.
        idle_s: without any request; the client is then told to connect again when it needs to.
        age_s: in all, after which it is told so, too: clients then spread over workers that are newer, and
            show certificates again. Requests under way go on.
    """

    handshake_s: float = 10
    ping_s: float = 60
    pong_s: float = 20
    idle_s: float = 15 * 60
    age_s: float = 60 * 60


# A client may ask as often whether the server is still there; after three times too often it is cut off.
MIN_PING_INTERVAL_S = 10
MAX_PING_STRIKES = 2

MAX_PENDING = 100_000

IDENTITY = 1 << 0  # in gRPC's set of compression algorithms


def channel_options(
    limits: Limits, *, reuse_port: bool, max_connections: int, patience: Patience | None = None
) -> tuple[tuple[str, int], ...]:
    """Options of gRPC's core for a server.

    Args:
        limits: of messages, headers and streams.
        reuse_port: whether other processes may listen on the port, too.
        max_connections: of this process; further ones are closed at once. It has to be below the limit of
            open files, for once gRPC has met that it takes no connection ever again.
        patience: with silent clients.
    """
    patience = patience or Patience()
    message = limits.max_message_mib * 1024 * 1024
    headers = limits.max_header_kib * 1024
    return (
        ("grpc.so_reuseport", int(reuse_port)),
        *(() if limits.grpc_compression else (("grpc.compression_enabled_algorithms_bitset", IDENTITY),)),
        # Of a message after decompression, too.
        ("grpc.max_receive_message_length", message),
        ("grpc.max_send_message_length", message),
        ("grpc.max_concurrent_streams", limits.max_streams),
        # Requests that Python has not picked up yet; unless told otherwise gRPC cancels some from 1,000 on.
        # To refuse is for the model's own queue, which says why.
        ("grpc.server.max_pending_requests", MAX_PENDING),
        ("grpc.server.max_pending_requests_hard_limit", MAX_PENDING),
        ("grpc.max_allowed_incoming_connections", max_connections),
        # Between the two gRPC would refuse at random.
        ("grpc.max_metadata_size", headers),
        ("grpc.absolute_max_metadata_size", headers),
        ("grpc.server_handshake_timeout_ms", _ms(patience.handshake_s)),
        ("grpc.keepalive_time_ms", _ms(patience.ping_s)),
        ("grpc.keepalive_timeout_ms", _ms(patience.pong_s)),
        ("grpc.keepalive_permit_without_calls", 1),
        # Without it an unanswered ping ends nothing, whatever the keepalive's timeout.
        ("grpc.http2.ping_timeout_ms", _ms(patience.pong_s)),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", _ms(MIN_PING_INTERVAL_S)),
        ("grpc.http2.max_ping_strikes", MAX_PING_STRIKES),
        ("grpc.max_connection_idle_ms", _ms(patience.idle_s)),
        ("grpc.max_connection_age_ms", _ms(patience.age_s)),
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
