"""LitServe around an onnxruntime session over HTTP: JSON with base64 in, the probabilities' bytes out.

python litserve_server.py PORT MODEL.onnx WORKERS
"""

import base64
import sys

import litserve
import numpy as np
import onnxruntime as ort
from fastapi import Response

port, path, workers = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])


class OnnxApi(litserve.LitAPI):
    """A session of one thread in each worker."""

    def setup(self, device: str) -> None:  # noqa: ARG002  (LitServe's)
        """Open the file."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = ort.InferenceSession(path, options)
        self._input = self._session.get_inputs()[0]

    def decode_request(self, request: dict[str, str]) -> np.ndarray:
        """Take the pixels."""
        pixels = base64.b64decode(request["pixels"])
        return np.frombuffer(pixels, np.uint8).reshape(-1, *self._input.shape[1:])

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Run the session."""
        return self._session.run(["probabilities"], {self._input.name: images})[0]

    def encode_response(self, output: np.ndarray) -> Response:
        """Give the probabilities."""
        return Response(output.tobytes(), media_type="application/octet-stream")


if __name__ == "__main__":
    server = litserve.LitServer(OnnxApi(), accelerator="cpu", workers_per_device=workers, fast_queue=True)
    server.run(host="127.0.0.1", port=port, log_level="warning", generate_client_file=False)
