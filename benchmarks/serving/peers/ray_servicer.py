"""What Ray Serve's proxy asks for: a function that adds the service's methods to its server."""

import grpc
import inference_pb2 as pb


def add_to_server(servicer: object, server: grpc.aio.Server) -> None:
    """Add ModelInfer, as a generated `add_…_to_server` does."""
    method = grpc.unary_unary_rpc_method_handler(
        servicer.ModelInfer, pb.ModelInferRequest.FromString, pb.ModelInferResponse.SerializeToString
    )
    name = "inference.GRPCInferenceService"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {"ModelInfer": method}),))
