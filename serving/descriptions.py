"""What is told of models, in the protocol's messages, whichever protocol asks."""

from serving.engine import Engine
from serving.index import State
from serving.model_config import config_message, metadata_message
from serving.model_statistics import statistics_message
from serving.proto import inference_pb2 as pb


class Descriptions:
    """Tells of what an engine serves; all of its methods raise `ModelNotFound` for what it does not."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def metadata(self, name: str, version: str) -> pb.ModelMetadataResponse:
        """What a model takes and gives."""
        model = self._engine.find(name, version)
        return metadata_message(model.session, self._engine.versions(name))

    def config(self, name: str, version: str) -> pb.ModelConfig:
        """How it is batched, and its labels."""
        model = self._engine.find(name, version)
        return config_message(model.session, model.settings)

    async def statistics(self, name: str, version: str) -> pb.ModelStatisticsResponse:
        """What all workers have counted of it, or of all models where the name is empty."""
        if name:
            self._engine.find(name, version)
        counts = await self._engine.control.statistics()
        return statistics_message(
            each for each in counts if name in ("", each.model) and version in ("", each.version)
        )

    def index(self, *, only_ready: bool) -> pb.RepositoryIndexResponse:
        """What is known of the repository's models.

        Args:
            only_ready: leave out those that are not served.
        """
        entry = pb.RepositoryIndexResponse.ModelIndex
        states = {each: each for each in State}
        if self._engine.draining:
            states[State.READY] = State.UNAVAILABLE
        return pb.RepositoryIndexResponse(
            models=[
                entry(name=each.name, version=each.version, state=state.value, reason=each.reason)
                for each in self._engine.index
                if (state := states[each.state]) is State.READY or not only_ready
            ]
        )
