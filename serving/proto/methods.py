"""The methods of the inference service, read from its descriptor, for server and client alike."""

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from serving.proto import inference_pb2

SERVICE: ServiceDescriptor = inference_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]

# Both sides set it, since gRPC's own default of 4 MiB is less than a batch of 64 colour images of 224 by 224.
MAX_MESSAGE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One RPC.

    Attributes:
        path: as HTTP/2 carries it, `/package.Service/Method`.
        request: the class of its request.
        response: the class of its response.
        streams_request: the client sends many.
        streams_response: the server sends many.
    """

    path: str
    request: type[Message]
    response: type[Message]
    streams_request: bool
    streams_response: bool


def methods_of(service: ServiceDescriptor) -> Mapping[str, Method]:
    """The methods of any service by name."""
    return {
        method.name: Method(
            path=f"/{service.full_name}/{method.name}",
            request=GetMessageClass(method.input_type),
            response=GetMessageClass(method.output_type),
            streams_request=method.client_streaming,
            streams_response=method.server_streaming,
        )
        for method in service.methods
    }


METHODS = methods_of(SERVICE)
