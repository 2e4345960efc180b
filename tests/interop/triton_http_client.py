"""Ask a keraport server over HTTP with NVIDIA's tritonclient; run by the interpreter of .venv-interop.

Arguments: the server's address, a .npy file of images, a .npz file to write the outputs to. Prints what the
server says of itself as JSON, first to the client that blocks, then to the one of asyncio.
"""

import asyncio
import inspect
import json
import sys

import numpy as np
import tritonclient.http as blocking
import tritonclient.http.aio as waiting
from tritonclient.utils import InferenceServerException

NAMES = ("logits", "probabilities")


async def result_of(value: object) -> object:
    return await value if inspect.isawaitable(value) else value


async def refusal_of(call) -> list[str]:
    try:
        await result_of(call())
    except InferenceServerException as error:
        return [error.status(), error.message()]
    return []


async def inferences(client, module, images: np.ndarray) -> dict[str, np.ndarray]:
    """The outputs of inferences that travel in different ways, by way and name."""

    async def asked(*, binary: bool, requested: list | None, **options: object) -> dict[str, np.ndarray]:
        image = module.InferInput("image", images.shape, "UINT8")
        image.set_data_from_numpy(images, binary_data=binary)
        outputs = await result_of(client.infer("digits", [image], outputs=requested, **options))
        return {name: outputs.as_numpy(name) for name in NAMES}

    def wanted(*, binary: bool) -> list:
        return [module.InferRequestedOutput(name, binary_data=binary) for name in NAMES]

    ways = {
        "binary": asked(binary=True, requested=None, request_id="7", priority=1, timeout=30_000_000),
        "json": asked(binary=False, requested=wanted(binary=False)),
        "mixed": asked(binary=False, requested=wanted(binary=True), model_version="1"),
    }
    for algorithm in ("gzip", "deflate"):
        both = {"request_compression_algorithm": algorithm, "response_compression_algorithm": algorithm}
        ways[algorithm] = asked(binary=True, requested=wanted(binary=True), **both)
    return {f"{way} {name}": array for way, found in ways.items() for name, array in (await found).items()}


async def classes(client, module, images: np.ndarray) -> list:
    image = module.InferInput("image", images.shape, "UINT8")
    image.set_data_from_numpy(images)
    top = module.InferRequestedOutput("probabilities", class_count=2)
    result = await result_of(client.infer("digits", [image], outputs=[top]))
    return np.vectorize(bytes.decode, otypes="O")(result.as_numpy("probabilities")).tolist()


async def said(client, module, images: np.ndarray) -> dict[str, object]:
    image = module.InferInput("image", images.shape, "UINT8")
    image.set_data_from_numpy(images)
    calls = {
        "live": client.is_server_live,
        "ready": client.is_server_ready,
        "server": client.get_server_metadata,
        "index": client.get_model_repository_index,
        "statistics": client.get_inference_statistics,
    }
    of_model = {
        "model_ready": client.is_model_ready,
        "metadata": client.get_model_metadata,
        "config": client.get_model_config,
        "model_statistics": client.get_inference_statistics,
    }
    return {
        **{name: await result_of(call()) for name, call in calls.items()},
        **{name: await result_of(call("digits", "1")) for name, call in of_model.items()},
        "classes": await classes(client, module, images),
        "load": await refusal_of(lambda: client.load_model("digits")),
        "reload_of_none": await refusal_of(lambda: client.load_model("letters")),
        "not_ready": await result_of(client.is_model_ready("letters")),
        "not_found": await refusal_of(lambda: client.infer("letters", [image])),
    }


async def with_asyncio(url: str, images: np.ndarray) -> tuple[dict, dict]:
    async with waiting.InferenceServerClient(url) as client:
        return await said(client, waiting, images), await inferences(client, waiting, images)


def main(url: str, images_file: str, outputs_file: str) -> None:
    images = np.load(images_file)
    with blocking.InferenceServerClient(url) as client:
        told = asyncio.run(said(client, blocking, images))
        outputs = {
            f"blocking {name}": array
            for name, array in asyncio.run(inferences(client, blocking, images)).items()
        }
        image = blocking.InferInput("image", images.shape, "UINT8")
        image.set_data_from_numpy(images)
        later = client.async_infer("digits", [image]).get_result()
        outputs |= {f"blocking later {name}": later.as_numpy(name) for name in NAMES}
    told_waiting, outputs_waiting = asyncio.run(with_asyncio(url, images))
    outputs |= {f"waiting {name}": array for name, array in outputs_waiting.items()}
    np.savez(outputs_file, **outputs)
    print(json.dumps([told, told_waiting]))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
