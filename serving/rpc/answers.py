"""From an inference's bytes to the message of its answer."""

from serving.codec import encode
from serving.engine import Engine
from serving.errors import InvalidRequest, InvalidTensor
from serving.inference import Outcome
from serving.operations.watching import Watch
from serving.proto import inference_pb2 as pb
from serving.rpc.call import Call
from serving.rpc.reader import RequestReader


async def run_inference(
    engine: Engine, reader: RequestReader, content: bytes, call: Call, watch: Watch
) -> Outcome:
    """Read a request and run it.

    Args:
        engine: runs it.
        reader: of its bytes.
        content: its bytes.
        call: that brought it.
        watch: is told how it goes.

    Raises:
        RequestError: it cannot be answered.
    """
    try:
        inference = reader.read(content, call.time_remaining(), watch)
    except (InvalidRequest, InvalidTensor) as error:
        engine.refused(watch.model, watch.version, error)
        raise
    watch.asked(inference)
    outcome = await engine.infer(inference)
    watch.answered(outcome)
    return outcome


def infer_message(outcome: Outcome) -> pb.ModelInferResponse:
    """An inference's answer, with raw contents."""
    response = pb.ModelInferResponse(model_name=outcome.model, model_version=outcome.version, id=outcome.id)
    encode(outcome.outputs, response.outputs, response.raw_output_contents)
    return response
