"""What gRPC calls for each method of the server's three services."""

from collections.abc import Callable, Mapping
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from serving.parcel import Parcel
from serving.proto.methods import SERVICE, methods_of
from serving.service import InferenceService

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
        _generic_handler(SERVICE, service.methods, Parcel.reader),
        _generic_handler(health_descriptor, {"Check": health_service.Check, "Watch": health_service.Watch}),
        _generic_handler(reflection_descriptor, {"ServerReflectionInfo": reflector.ServerReflectionInfo}),
    )


def _message_reader(kind: type[Message]) -> Callable[[bytes], Message]:
    return kind.FromString


def _generic_handler(
    service: ServiceDescriptor,
    answering: Mapping[str, Callable[..., Any]],
    reader: Callable[[type[Message]], Callable[[bytes], Any]] = _message_reader,
) -> grpc.GenericRpcHandler:
    handlers = {
        name: HANDLER_KINDS[method.streams_request, method.streams_response](
            answering[name],
            request_deserializer=reader(method.request),
            response_serializer=method.response.SerializeToString,
        )
        for name, method in methods_of(service).items()
        if name in answering  # newer releases declare health methods that their own servicer lacks
    }
    return grpc.method_handlers_generic_handler(service.full_name, handlers)
