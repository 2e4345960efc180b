"""BentoML's gRPC service, which it keeps for services of its older kind: pixels in, probabilities out.

The session runs in the service itself: a runner of BentoML's would be one more process and one more hop.
MODEL names the file.
"""

import os

import bentoml.io
import bentoml.legacy
import numpy as np
import onnxruntime as ort

options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(os.environ["MODEL"], options)
(tensor,) = session.get_inputs()

svc = bentoml.legacy.Service("onnx")


@svc.api(input=bentoml.io.NumpyNdarray(dtype="uint8"), output=bentoml.io.NumpyNdarray())
async def predict(pixels: np.ndarray) -> np.ndarray:
    """Run the session."""
    images = pixels.reshape(-1, *tensor.shape[1:])
    return session.run(["probabilities"], {tensor.name: images})[0]
