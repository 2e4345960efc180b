"""KServe's Python server around an onnxruntime session.

python kserve_server.py PORT MODEL.onnx NAME
"""

import sys

import onnxruntime as ort
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer

port, path, name = int(sys.argv[1]), sys.argv[2], sys.argv[3]


class OnnxModel(Model):
    """A session of one thread."""

    def load(self) -> bool:
        """Open the file."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = ort.InferenceSession(path, options)
        self._names = [output.name for output in self._session.get_outputs()]
        self.ready = True
        return self.ready

    async def predict(self, payload: InferRequest, *_: object, **__: object) -> InferResponse:
        """Run the session."""
        tensor = payload.inputs[0]
        outputs = []
        for output, values in zip(
            self._names, self._session.run(self._names, {tensor.name: tensor.as_numpy()}), strict=True
        ):
            outputs.append(InferOutput(name=output, shape=list(values.shape), datatype="FP32"))
            outputs[-1].set_data_from_numpy(values, binary_data=True)
        return InferResponse(response_id=payload.id, model_name=self.name, infer_outputs=outputs)


model = OnnxModel(name)
model.load()
ModelServer(http_port=0, grpc_port=port, enable_latency_logging=False).start([model])
