"""What gRPC does with a client's connection, above all when it breaks."""

import json
from typing import Any

import grpc
import grpc.aio

from serving.proto.methods import MAX_MESSAGE_BYTES, METHODS, SERVICE

# Whoever asks these twice gets what he gets when he asks once.
REPEATABLE = tuple(
    name
    for name in METHODS
    if name not in ("ModelStreamInfer", "RepositoryModelLoad", "RepositoryModelUnload")
)

SERVICE_CONFIG = {
    "methodConfig": [
        {
            "name": [{"service": SERVICE.full_name, "method": method} for method in REPEATABLE],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 3,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    # Some fifty failures in a row end the repeating: a server that is down must not be asked thrice as often.
    "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.5},
}

CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # A process of the server that dies is replaced within a second: gRPC's own first pause is as long.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
    # gRPC repeats no request that is larger than this, by default 256 KiB.
    ("grpc.per_rpc_retry_buffer_size", MAX_MESSAGE_BYTES),
)


def callables(channel: grpc.Channel | grpc.aio.Channel) -> dict[str, Any]:
    """What calls each method of the protocol, by its name."""
    return {
        name: (channel.stream_stream if method.streams_request else channel.unary_unary)(
            method.path,
            request_serializer=method.request.SerializeToString,
            response_deserializer=method.response.FromString,
        )
        for name, method in METHODS.items()
    }
