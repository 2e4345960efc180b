"""The messages of the service's answers."""

from serving.codec import encode
from serving.engine import Engine
from serving.index import State
from serving.inference import Outcome
from serving.proto import inference_pb2 as pb


def infer_message(outcome: Outcome) -> pb.ModelInferResponse:
    """An inference's answer, with raw contents."""
    response = pb.ModelInferResponse(model_name=outcome.model, model_version=outcome.version, id=outcome.id)
    encode(outcome.outputs, response.outputs, response.raw_output_contents)
    return response


def index_message(engine: Engine, *, only_ready: bool) -> pb.RepositoryIndexResponse:
    """What is known of the repository's models.

    Args:
        engine: that serves them.
        only_ready: leave out those that are not served.
    """
    entry = pb.RepositoryIndexResponse.ModelIndex
    states = {each: each.value for each in State}
    if engine.draining:
        states[State.READY] = State.UNAVAILABLE.value
    return pb.RepositoryIndexResponse(
        models=[
            entry(name=each.name, version=each.version, state=states[each.state], reason=each.reason)
            for each in engine.index
            if each.state is State.READY or not only_ready
        ]
    )
