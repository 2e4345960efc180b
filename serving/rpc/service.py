"""The inference service's methods: from a request's bytes to an answer's."""

import contextlib
import importlib.metadata
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any

from serving.engine import Engine
from serving.errors import Forbidden, InvalidRequest
from serving.model_config import config_message, metadata_message
from serving.model_statistics import statistics_message
from serving.proto import inference_pb2 as pb
from serving.rpc.answers import index_message, infer_message
from serving.rpc.requests import read, read_inference
from serving.rpc.status import Answering, Context, answering
from serving.rpc.streaming import stream_answers

EXTENSIONS = ("classification", "model_configuration", "model_repository", "statistics", "binary_tensor_data")


class InferenceService:
    """Answers the protocol's methods with an engine."""

    def __init__(self, engine: Engine, *, repository_control: bool) -> None:
        self._engine = engine
        self._repository_control = repository_control

    @property
    def methods(self) -> Mapping[str, Callable[..., Any]]:
        """The protocol's name of each method, and what answers a request's bytes."""
        unary: Mapping[str, Answering] = {
            "ServerLive": self.server_live,
            "ServerReady": self.server_ready,
            "ServerMetadata": self.server_metadata,
            "ModelReady": self.model_ready,
            "ModelMetadata": self.model_metadata,
            "ModelConfig": self.model_config,
            "ModelStatistics": self.model_statistics,
            "ModelInfer": self.model_infer,
            "RepositoryIndex": self.repository_index,
            "RepositoryModelLoad": self.repository_model_load,
            "RepositoryModelUnload": self.repository_model_unload,
        }
        return {
            "ModelStreamInfer": self.model_stream_infer,
            **{name: answering(method) for name, method in unary.items()},
        }

    async def server_live(self, content: bytes, _: Context) -> bytes:
        """Whether the server should be left running."""
        read(pb.ServerLiveRequest, content)
        return pb.ServerLiveResponse(live=not self._engine.draining).SerializeToString()

    async def server_ready(self, content: bytes, _: Context) -> bytes:
        """Whether the server takes inferences."""
        read(pb.ServerReadyRequest, content)
        return pb.ServerReadyResponse(ready=not self._engine.draining).SerializeToString()

    async def server_metadata(self, content: bytes, _: Context) -> bytes:
        """Name, version and the protocol's extensions."""
        read(pb.ServerMetadataRequest, content)
        version = importlib.metadata.version("keraport")
        return pb.ServerMetadataResponse(
            name="keraport", version=version, extensions=EXTENSIONS
        ).SerializeToString()

    async def model_ready(self, content: bytes, _: Context) -> bytes:
        """Whether a model takes inferences."""
        request = read(pb.ModelReadyRequest, content)
        self._engine.find(request.name, request.version)
        return pb.ModelReadyResponse(ready=not self._engine.draining).SerializeToString()

    async def model_metadata(self, content: bytes, _: Context) -> bytes:
        """What a model takes and gives."""
        request = read(pb.ModelMetadataRequest, content)
        model = self._engine.find(request.name, request.version)
        versions = self._engine.versions(request.name)
        return metadata_message(model.session, versions).SerializeToString()

    async def model_config(self, content: bytes, _: Context) -> bytes:
        """How a model is batched, and its labels."""
        request = read(pb.ModelConfigRequest, content)
        model = self._engine.find(request.name, request.version)
        config = config_message(model.session, model.settings)
        return pb.ModelConfigResponse(config=config).SerializeToString()

    async def model_statistics(self, content: bytes, _: Context) -> bytes:
        """What all workers have counted, of one model or of all."""
        request = read(pb.ModelStatisticsRequest, content)
        if request.name:
            self._engine.find(request.name, request.version)
        counts = await self._engine.control.statistics()
        return statistics_message(
            each
            for each in counts
            if request.name in ("", each.model) and request.version in ("", each.version)
        ).SerializeToString()

    async def repository_index(self, content: bytes, _: Context) -> bytes:
        """What is known of the repository's models."""
        request = read(pb.RepositoryIndexRequest, content)
        return index_message(self._engine, only_ready=request.ready).SerializeToString()

    async def repository_model_load(self, content: bytes, _: Context) -> bytes:
        """Look at a model anew; answered once every worker serves what came of it."""
        request = read(pb.RepositoryModelLoadRequest, content)
        self._require_control()
        if request.parameters:
            raise InvalidRequest("load takes no parameters here: publish the model, then load it")
        await self._engine.control.load(request.model_name)
        return pb.RepositoryModelLoadResponse().SerializeToString()

    async def repository_model_unload(self, content: bytes, _: Context) -> bytes:
        """Stop to serve a model."""
        request = read(pb.RepositoryModelUnloadRequest, content)
        self._require_control()
        await self._engine.control.unload(request.model_name)
        return pb.RepositoryModelUnloadResponse().SerializeToString()

    async def model_infer(self, content: bytes, context: Context) -> bytes:
        """Run a model."""
        inference = read_inference(content, context.time_remaining())
        return infer_message(await self._engine.infer(inference)).SerializeToString()

    async def model_stream_infer(
        self, contents: AsyncIterator[bytes], context: Context
    ) -> AsyncGenerator[bytes]:
        """Run a model for each request of a stream; the answers come in the requests' order."""
        async with contextlib.aclosing(stream_answers(self._engine, contents, context)) as answers:
            async for answer in answers:
                yield answer

    def _require_control(self) -> None:
        if not self._repository_control:
            raise Forbidden(
                "models are not loaded or unloaded by clients here: serve with --repository-control"
            )
