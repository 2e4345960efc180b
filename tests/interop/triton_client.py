"""Ask a keraport server with NVIDIA's tritonclient as its users do; run by the interpreter of .venv-interop.

Arguments: which of its clients (grpc, grpc.aio, http, http.aio), the server's address, a .npy file of images,
a .npz file to write the outputs to. Prints what the server says as JSON, in one form for all four.
"""

import asyncio
import importlib
import inspect
import json
import sys
from collections.abc import Awaitable, Callable
from queue import Queue
from typing import Any

import numpy as np
from tritonclient.utils import InferenceServerException

NAMES = ("logits", "probabilities")
STREAMED = 12


class Conversation:
    """One client, whose calls are awaited whether it is a sync or an async one."""

    def __init__(self, kind: str, url: str) -> None:
        self.library = importlib.import_module(f"tritonclient.{kind}")
        self.client = self.library.InferenceServerClient(url)
        self.is_grpc = kind.startswith("grpc")
        self.is_aio = kind.endswith("aio")

    async def ask(self, method: str, *arguments: object, **options: object) -> Any:
        answer = getattr(self.client, method)(*arguments, **options)
        return await answer if inspect.isawaitable(answer) else answer

    async def document(self, method: str, *arguments: object) -> Any:
        """What a method says of the server; over HTTP it is JSON anyway."""
        return await self.ask(method, *arguments, **({"as_json": True} if self.is_grpc else {}))

    def image(self, images: np.ndarray) -> Any:
        tensor = self.library.InferInput("image", images.shape, "UINT8")
        tensor.set_data_from_numpy(images)
        return tensor

    def output(self, name: str, **options: object) -> Any:
        return self.library.InferRequestedOutput(name, **options)

    async def infer(self, image: object, **options: object) -> Any:
        return await self.ask("infer", "digits", [image], **options)


async def refusal_of(call: Callable[[], Awaitable[object]]) -> list[str | None]:
    try:
        await call()
    except InferenceServerException as error:
        return [error.status(), error.message()]
    return []


async def streamed(talk: Conversation, images: np.ndarray) -> list[list[str]]:
    """What each answer of a stream is: its id, and its image's most probable class."""
    requests = [
        {
            "model_name": "digits",
            "inputs": [talk.image(images[position % len(images)][None])],
            "request_id": str(position),
            "outputs": [talk.output("probabilities", class_count=1)],
        }
        for position in range(STREAMED)
    ]
    requests.append({"model_name": "letters?", "inputs": [talk.image(images)], "request_id": "wrong"})
    if talk.is_aio:

        async def one_by_one() -> Any:
            for request in requests:
                yield request

        pairs = [pair async for pair in talk.client.stream_infer(one_by_one())]
    else:
        queue: Queue[tuple[Any, Any]] = Queue()
        talk.client.start_stream(lambda result, error: queue.put((result, error)))
        for request in requests:
            talk.client.async_stream_infer(**request)
        pairs = [queue.get(timeout=60) for _ in requests]
        talk.client.stop_stream()
    return [
        ["error", error.message()]
        if error is not None
        else [result.get_response().id, result.as_numpy("probabilities")[0, 0].decode()]
        for result, error in pairs
    ]


def tensors_of(metadata: Any) -> list[list[Any]]:
    return [[each["name"], each["datatype"], [int(size) for size in each["shape"]]] for each in metadata]


async def steer(talk: Conversation) -> dict[str, object]:
    """Unload a model, and load it again."""
    await talk.ask("unload_model", "letters")
    gone = await refusal_of(
        lambda: talk.ask("infer", "letters", [talk.image(np.zeros((1, 28, 28, 1), np.uint8))])
    )
    await talk.ask("load_model", "letters")
    return {
        "gone": gone,
        "back": await talk.ask("is_model_ready", "letters"),
        "none": await refusal_of(lambda: talk.ask("load_model", "nobody")),
    }


async def rows_counted(talk: Conversation) -> int:
    document = await talk.document("get_inference_statistics", "digits")
    return sum(int(each.get("inference_count", 0)) for each in document["model_stats"])


async def converse(kind: str, url: str, images_file: str, outputs_file: str) -> dict[str, object]:
    images = np.load(images_file)
    talk = Conversation(kind, url)
    image, before = talk.image(images), await rows_counted(talk)
    result = await talk.infer(
        image, outputs=[talk.output(name) for name in NAMES], request_id="7", priority=1
    )
    np.savez(outputs_file, **{name: result.as_numpy(name) for name in NAMES})
    top = await talk.infer(image, outputs=[talk.output("probabilities", class_count=2)], timeout=30_000_000)
    response = result.get_response()
    metadata = await talk.document("get_model_metadata", "digits")
    config = await talk.document("get_model_config", "digits")
    config = config.get("config", config)
    index = await talk.document("get_model_repository_index")
    said = {
        "id": response.id if talk.is_grpc else response["id"],
        "counted": await rows_counted(talk) - before,
        "top": [[text.decode() for text in row] for row in top.as_numpy("probabilities")],
        "live": await talk.ask("is_server_live"),
        "ready": await talk.ask("is_server_ready"),
        "model_ready": await talk.ask("is_model_ready", "digits"),
        "server": (await talk.document("get_server_metadata"))["name"],
        "versions": metadata["versions"],
        "inputs": tensors_of(metadata["inputs"]),
        "outputs": tensors_of(metadata["outputs"]),
        "config": [config["name"], config["max_batch_size"], config["input"][0]["data_type"]],
        "labels": config["parameters"]["labels"]["string_value"],
        "index": [
            [each["name"], each["version"], each["state"]]
            for each in (index["models"] if talk.is_grpc else index)
        ],
        "streamed": await streamed(talk, images) if talk.is_grpc else [],
        "refusals": [
            await refusal_of(lambda: talk.ask("infer", "letters?", [image])),
            await refusal_of(lambda: talk.infer(talk.image(images[:, :9]))),
        ],
        "steering": await steer(talk),
    }
    await talk.ask("close")
    return said


if __name__ == "__main__":
    print(json.dumps(asyncio.run(converse(*sys.argv[1:]))))  # noqa: T201
