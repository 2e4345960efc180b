"""The inference service's methods: from a request's bytes to an answer's."""

import importlib.metadata
from collections.abc import Mapping

from serving.descriptions import Descriptions
from serving.engine import Engine
from serving.errors import InvalidRequest
from serving.operations.watching import Watch
from serving.proto import inference_pb2 as pb
from serving.protocol import EXTENSIONS, NAME
from serving.rpc.answers import infer_message, run_inference
from serving.rpc.call import Call
from serving.rpc.reader import RequestReader
from serving.rpc.reception import Method, Reception
from serving.rpc.requests import read
from serving.rpc.stream import Conversing, StreamCall
from serving.rpc.streaming import answer_stream
from serving.rpc.unary import Answering


class InferenceService:
    """Answers the protocol's methods with an engine."""

    def __init__(self, engine: Engine, reception: Reception) -> None:
        self._engine = engine
        self._descriptions = Descriptions(engine)
        self._reception = reception
        self._reader = RequestReader()
        self._version = importlib.metadata.version("keraport")

    @property
    def unary(self) -> Mapping[str, Answering]:
        """The protocol's name of each method that takes one request, and what answers its bytes."""
        methods: Mapping[str, Method] = {
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
        return {name: self._reception.unary(name, method) for name, method in methods.items()}

    @property
    def streams(self) -> Mapping[str, Conversing]:
        """The same for methods that take many."""
        return {"ModelStreamInfer": self.model_stream_infer}

    async def server_live(self, content: bytes, _: Call, __: Watch) -> bytes:
        """Whether the server should be left running."""
        read(pb.ServerLiveRequest, content)
        return pb.ServerLiveResponse(live=not self._engine.draining).SerializeToString()

    async def server_ready(self, content: bytes, _: Call, __: Watch) -> bytes:
        """Whether the server takes inferences."""
        read(pb.ServerReadyRequest, content)
        return pb.ServerReadyResponse(ready=not self._engine.draining).SerializeToString()

    async def server_metadata(self, content: bytes, _: Call, __: Watch) -> bytes:
        """Name, version and the protocol's extensions."""
        read(pb.ServerMetadataRequest, content)
        return pb.ServerMetadataResponse(
            name=NAME, version=self._version, extensions=EXTENSIONS
        ).SerializeToString()

    async def model_ready(self, content: bytes, _: Call, watch: Watch) -> bytes:
        """Whether a model takes inferences."""
        request = read(pb.ModelReadyRequest, content)
        watch.about(request.name, request.version)
        # Without a name there is no such model; the engine would speak of the server.
        self._engine.find(request.name, request.version)
        return pb.ModelReadyResponse(ready=self._engine.ready()).SerializeToString()

    async def model_metadata(self, content: bytes, _: Call, watch: Watch) -> bytes:
        """What a model takes and gives."""
        request = read(pb.ModelMetadataRequest, content)
        watch.about(request.name, request.version)
        return self._descriptions.metadata(request.name, request.version).SerializeToString()

    async def model_config(self, content: bytes, _: Call, watch: Watch) -> bytes:
        """How a model is batched, and its labels."""
        request = read(pb.ModelConfigRequest, content)
        watch.about(request.name, request.version)
        config = self._descriptions.config(request.name, request.version)
        return pb.ModelConfigResponse(config=config).SerializeToString()

    async def model_statistics(self, content: bytes, _: Call, watch: Watch) -> bytes:
        """What all workers have counted, of one model or of all."""
        request = read(pb.ModelStatisticsRequest, content)
        watch.about(request.name, request.version)
        return (await self._descriptions.statistics(request.name, request.version)).SerializeToString()

    async def repository_index(self, content: bytes, _: Call, __: Watch) -> bytes:
        """What is known of the repository's models."""
        request = read(pb.RepositoryIndexRequest, content)
        return self._descriptions.index(only_ready=request.ready).SerializeToString()

    async def repository_model_load(self, content: bytes, _: Call, watch: Watch) -> bytes:
        """Look at a model anew; answered once every worker serves what came of it."""
        request = read(pb.RepositoryModelLoadRequest, content)
        watch.about(request.model_name)
        self._engine.control.require()
        if request.parameters:
            raise InvalidRequest("load takes no parameters here: publish the model, then load it")
        await self._engine.control.load(request.model_name)
        return pb.RepositoryModelLoadResponse().SerializeToString()

    async def repository_model_unload(self, content: bytes, _: Call, watch: Watch) -> bytes:
        """Stop to serve a model."""
        request = read(pb.RepositoryModelUnloadRequest, content)
        watch.about(request.model_name)
        await self._engine.control.unload(request.model_name)
        return pb.RepositoryModelUnloadResponse().SerializeToString()

    async def model_infer(self, content: bytes, call: Call, watch: Watch) -> bytes:
        """Run a model."""
        outcome = await run_inference(self._engine, self._reader, content, call, watch)
        return infer_message(outcome).SerializeToString()

    async def model_stream_infer(self, stream: StreamCall) -> None:
        """Run a model for each request of a stream; the answers come in the requests' order."""
        await answer_stream(self._engine, self._reception, self._reader, stream)
