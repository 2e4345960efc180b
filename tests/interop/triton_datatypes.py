"""Send BYTES, FP16, BF16 and ask for classes with NVIDIA's tritonclient; run by .venv-interop's interpreter.

Argument: the address of a server of the models `bytes`, `fp16`, `bf16` and `scores`. Prints what came back as
JSON.
"""

import json
import sys

import ml_dtypes
import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput

SENT = {
    "BYTES": np.array([["Zürich".encode(), b""], [b"a\0", b"b"]], np.object_),
    "FP16": np.array([[0.5, -2.0]], np.float16),
    "BF16": np.array([[0.5, -2.0]], ml_dtypes.bfloat16),
}


def given(name: str, array: np.ndarray, datatype: str) -> InferInput:
    tensor = InferInput(name, array.shape, datatype)
    tensor.set_data_from_numpy(array)
    return tensor


def texts(array: np.ndarray) -> list:
    return np.vectorize(bytes.decode, otypes="O")(array).tolist()


def main(url: str) -> None:
    said = {}
    with InferenceServerClient(url) as client:
        for datatype, array in SENT.items():
            came = client.infer(datatype.lower(), [given("x0", array, datatype)]).as_numpy("y0")
            said[datatype] = [came.dtype.name, texts(came) if datatype == "BYTES" else came.tolist()]
        scores = given("x0", np.array([[0.25, 1, 0.5], [3, 2, 1]], np.float32), "FP32")
        words = given("x1", np.array([[1], [2]], np.float16), "FP16")
        classes = InferRequestedOutput("y0", class_count=2)
        said["classes"] = texts(client.infer("scores", [scores, words], outputs=[classes]).as_numpy("y0"))
    print(json.dumps(said))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
