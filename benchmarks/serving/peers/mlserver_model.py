"""MLServer's model: it has no runtime for ONNX of its own, but says how to write one."""

import mlserver
import numpy as np
import onnxruntime as ort
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class OnnxModel(mlserver.MLModel):
    """An onnxruntime session of one thread."""

    async def load(self) -> bool:
        """Open the file that the settings name."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = ort.InferenceSession(self.settings.parameters.uri, options)
        self._names = [output.name for output in self._session.get_outputs()]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Run the session."""
        tensor = payload.inputs[0]
        images = np.asarray(tensor.data.root, np.uint8).reshape(tensor.shape)
        values = self._session.run(self._names, {tensor.name: images})
        return InferenceResponse(
            model_name=self.name,
            outputs=[
                NumpyCodec.encode_output(name, value) for name, value in zip(self._names, values, strict=True)
            ],
        )
