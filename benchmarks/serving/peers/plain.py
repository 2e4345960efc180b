"""What a user would write: a grpcio servicer of thirty lines around an onnxruntime session.

python plain.py PORT MODEL.onnx
"""

import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
import inference_pb2 as pb
import numpy as np
import onnxruntime as ort

options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(sys.argv[2], options)
NAMES = [output.name for output in session.get_outputs()]


def infer(request: pb.ModelInferRequest, _: grpc.ServicerContext) -> pb.ModelInferResponse:
    tensor = request.inputs[0]
    images = np.frombuffer(request.raw_input_contents[0], np.uint8).reshape(tensor.shape)
    answer = pb.ModelInferResponse(model_name=request.model_name, model_version="1", id=request.id)
    for name, values in zip(NAMES, session.run(NAMES, {tensor.name: images}), strict=True):
        answer.outputs.add(name=name, datatype="FP32", shape=values.shape)
        answer.raw_output_contents.append(values.tobytes())
    return answer


method = grpc.unary_unary_rpc_method_handler(
    infer, pb.ModelInferRequest.FromString, pb.ModelInferResponse.SerializeToString
)
unlimited = [("grpc.so_reuseport", 1), ("grpc.max_receive_message_length", -1)]
server = grpc.server(ThreadPoolExecutor(4), options=unlimited)
service = grpc.method_handlers_generic_handler("inference.GRPCInferenceService", {"ModelInfer": method})
server.add_generic_rpc_handlers((service,))
server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
server.start()
server.wait_for_termination()
