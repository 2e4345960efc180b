"""The message of an inference's answer."""

from serving.codec import encode
from serving.inference import Outcome
from serving.proto import inference_pb2 as pb


def infer_message(outcome: Outcome) -> pb.ModelInferResponse:
    """An inference's answer, with raw contents."""
    response = pb.ModelInferResponse(model_name=outcome.model, model_version=outcome.version, id=outcome.id)
    encode(outcome.outputs, response.outputs, response.raw_output_contents)
    return response
