"""Ray Serve around an onnxruntime session, over its gRPC proxy.

python ray_server.py PORT MODEL.onnx WORKERS FOLDER
"""

import signal
import sys

import inference_pb2 as pb
import numpy as np
import onnxruntime as ort
import ray
from ray import serve
from ray.serve.config import gRPCOptions

port, path, workers, folder = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]


@serve.deployment(num_replicas=workers, max_ongoing_requests=1024, ray_actor_options={"num_cpus": 0.5})
class OnnxModel:
    """A session of one thread in each replica."""

    def __init__(self) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = ort.InferenceSession(path, options)
        self._names = [output.name for output in self._session.get_outputs()]

    async def ModelInfer(self, request: pb.ModelInferRequest) -> pb.ModelInferResponse:  # noqa: N802
        """Run the session."""
        tensor = request.inputs[0]
        images = np.frombuffer(request.raw_input_contents[0], np.uint8).reshape(tensor.shape)
        answer = pb.ModelInferResponse(model_name=request.model_name, model_version="1", id=request.id)
        for name, values in zip(
            self._names, self._session.run(self._names, {tensor.name: images}), strict=True
        ):
            answer.outputs.add(name=name, datatype="FP32", shape=values.shape)
            answer.raw_output_contents.append(values.tobytes())
        return answer


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _temp_dir=folder)
    servicers = ["ray_servicer.add_to_server"]
    options = gRPCOptions(port=port, grpc_servicer_functions=servicers)
    serve.start(http_options={"host": "127.0.0.1", "port": 0}, grpc_options=options)
    serve.run(OnnxModel.bind())
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        signal.pause()
    except KeyboardInterrupt:
        serve.shutdown()
        ray.shutdown()
