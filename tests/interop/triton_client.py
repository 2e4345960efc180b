"""Ask a keraport server with NVIDIA's tritonclient as its users do; run by the interpreter of .venv-interop.

Arguments: the server's address, a .npy file of images, a .npz file to write the outputs to. Prints what the
server says of itself as JSON.
"""

import json
import sys
from collections.abc import Callable

import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

NAMES = ("logits", "probabilities")


def refusal_of(call: Callable[[], object]) -> list[str]:
    try:
        call()
    except InferenceServerException as error:
        return [error.status(), error.message()]
    return []


def main(url: str, images_file: str, outputs_file: str) -> None:
    images = np.load(images_file)
    with InferenceServerClient(url) as client:
        image = InferInput("image", images.shape, "UINT8")
        image.set_data_from_numpy(images)
        requested = [InferRequestedOutput(name) for name in NAMES]
        result = client.infer("digits", [image], outputs=requested, request_id="7", client_timeout=30)
        np.savez(outputs_file, **{name: result.as_numpy(name) for name in NAMES})
        said = {
            "live": client.is_server_live(),
            "ready": client.is_server_ready(),
            "model_ready": client.is_model_ready("digits"),
            "server": client.get_server_metadata(as_json=True),
            "metadata": client.get_model_metadata("digits", as_json=True),
            "config": client.get_model_config("digits", as_json=True),
            "index": client.get_model_repository_index(as_json=True),
            "id": result.get_response().id,
            "refusals": [
                refusal_of(lambda: client.infer("letters", [image])),
                refusal_of(lambda: client.is_model_ready("letters")),
            ],
        }
    print(json.dumps(said))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
