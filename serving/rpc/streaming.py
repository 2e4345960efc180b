"""Many inferences over one stream."""

import asyncio

from serving.engine import Engine
from serving.proto import inference_pb2 as pb
from serving.rpc.answers import infer_message, run_inference
from serving.rpc.call import Call
from serving.rpc.reader import RequestReader
from serving.rpc.reception import Reception
from serving.rpc.status import status_of
from serving.rpc.stream import StreamCall

# Requests of one stream that are under way at the same time; it is not read further meanwhile.
MAX_UNDER_WAY = 64


async def answer_stream(
    engine: Engine, reception: Reception, reader: RequestReader, stream: StreamCall
) -> None:
    """Answer the requests of a stream, in their order; one that fails is answered by its error's text.

    Several are under way at the same time, so that one stream can fill a batch.
    """
    under_way: asyncio.Queue[asyncio.Task[bytes] | None] = asyncio.Queue()
    places = asyncio.Semaphore(MAX_UNDER_WAY)

    async def take() -> None:
        try:
            async for content in stream.messages():
                await places.acquire()
                under_way.put_nowait(asyncio.create_task(_answer(engine, reception, reader, content, stream)))
        finally:
            under_way.put_nowait(None)

    taking = asyncio.create_task(take())
    task: asyncio.Task[bytes] | None = None
    try:
        while task := await under_way.get():
            await stream.send(await task)
            places.release()
        await taking
    finally:
        # The client is gone, or has had its last answer.
        taking.cancel()
        if task is not None:
            task.cancel()
        while not under_way.empty():
            if (waiting := under_way.get_nowait()) is not None:
                waiting.cancel()


async def _answer(
    engine: Engine, reception: Reception, reader: RequestReader, content: bytes, call: Call
) -> bytes:
    watch = reception.watch("ModelStreamInfer", call)
    try:
        with watch:
            outcome = await run_inference(engine, reader, content, call, watch)
        answer = infer_message(outcome)
    except Exception as error:  # noqa: BLE001  (whatever it is, it becomes a text)
        code, text = status_of(error)
        # The id tells the client which of its requests it was, the status what to make of it.
        status = pb.InferParameter(string_param=code.name)
        failed = pb.ModelInferResponse(id=watch.id, parameters={"status": status})
        return pb.ModelStreamInferResponse(error_message=text, infer_response=failed).SerializeToString()
    return pb.ModelStreamInferResponse(infer_response=answer).SerializeToString()
