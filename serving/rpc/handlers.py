"""What gRPC calls for each method of the server's three services."""

from collections.abc import Callable, Mapping
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from serving.proto.methods import SERVICE, methods_of
from serving.rpc.readable import of_many, of_one, reading
from serving.rpc.service import InferenceService

HANDLER_KINDS = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


def generic_handlers(
    service: InferenceService, health_service: health.aio.HealthServicer
) -> tuple[grpc.GenericRpcHandler, ...]:
    """Handlers of the inference, health and reflection services.

    They are generic ones, for grpc.aio starts a task and a wait for every RPC over all registered methods,
    which the generated `add_…_to_server` functions register.
    """
    health_descriptor = health_pb2.DESCRIPTOR.services_by_name["Health"]
    reflection_descriptor = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"]
    names = [each.full_name for each in (SERVICE, health_descriptor, reflection_descriptor)]
    reflector = reflection.aio.ReflectionServicer(names)
    return (
        _generic_handler(SERVICE, service.methods, raw=True),
        _generic_handler(
            health_descriptor, {"Check": of_one(health_service.Check), "Watch": of_one(health_service.Watch)}
        ),
        _generic_handler(
            reflection_descriptor, {"ServerReflectionInfo": of_many(reflector.ServerReflectionInfo)}
        ),
    )


def _generic_handler(
    service: ServiceDescriptor, answering: Mapping[str, Callable[..., Any]], *, raw: bool = False
) -> grpc.GenericRpcHandler:
    """Handlers of a service's methods; raw ones take and give bytes."""
    handlers = {
        name: HANDLER_KINDS[method.streams_request, method.streams_response](
            answering[name],
            request_deserializer=None if raw else reading(method.request),
            response_serializer=None if raw else method.response.SerializeToString,
        )
        for name, method in methods_of(service).items()
        if name in answering  # newer releases declare health methods that their own servicer lacks
    }
    return grpc.method_handlers_generic_handler(service.full_name, handlers)
