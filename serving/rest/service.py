"""What each endpoint of the protocol answers."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serving.descriptions import Descriptions
from serving.engine import Engine
from serving.errors import Draining, InvalidRequest, InvalidTensor, QueueFull, quoted
from serving.inference import Inference
from serving.operations.watching import Watch
from serving.protocol import EXTENSIONS, NAME
from serving.rest.answers import LENGTH_HEADER, json_response, outcome_response
from serving.rest.body import BodyReader, compressed
from serving.rest.describe import to_json
from serving.rest.disconnect import WhileConnected
from serving.rest.json_codec import decode_json
from serving.rest.messages import (
    ControlRequest,
    IndexedModel,
    IndexRequest,
    Live,
    Ready,
    ServerMetadata,
)
from serving.rest.requests import Form, read_request

# Of requests that are no inferences.
MAX_CONTROL_BYTES = 64 * 1024

_INDEX_DECODER = msgspec.json.Decoder(IndexRequest)
_CONTROL_DECODER = msgspec.json.Decoder(ControlRequest)


class RestService:
    """Answers the Open Inference Protocol for an engine."""

    def __init__(self, engine: Engine, *, max_message_bytes: int, version: str) -> None:
        """Set what answers and how large its messages may be.

        Args:
            engine: runs the models.
            max_message_bytes: of one request or answer.
            version: of the server.
        """
        self._engine = engine
        self._descriptions = Descriptions(engine)
        self._max_message_bytes = max_message_bytes
        self._version = version
        self._bodies = BodyReader(max_message_bytes)

    async def infer(self, request: Request, watch: Watch) -> Response:
        """Run a model."""
        if self._engine.draining:
            raise Draining("the server is stopping: ask another one")
        inference, form = await self._read(request, watch)
        async with WhileConnected(request):
            watch.asked(inference)
            outcome = await self._engine.infer(inference)
        watch.answered(outcome)
        response = outcome_response(outcome, form, max_bytes=self._max_message_bytes)
        return await compressed(response, request.headers.get("accept-encoding", ""))

    async def _read(self, request: Request, watch: Watch) -> tuple[Inference, Form]:
        model, version = _asked(request, watch)
        try:
            body, wire_bytes = await self._bodies.read(request)
            return read_request(
                body,
                request.headers.get(LENGTH_HEADER),
                model=model,
                version=version,
                wire_bytes=wire_bytes,
                watch=watch,
            )
        except (InvalidRequest, InvalidTensor, QueueFull) as error:
            self._engine.refused(model, version, error)
            raise

    async def live(self, _: Request, __: Watch) -> Response:
        """Whether the server should be left running."""
        live = not self._engine.draining
        return json_response(Live(live=live), 200 if live else 503)

    async def ready(self, _: Request, __: Watch) -> Response:
        """Whether the server takes inferences."""
        ready = self._engine.ready()
        return json_response(Ready(ready=ready), 200 if ready else 503)

    async def model_ready(self, request: Request, watch: Watch) -> Response:
        """Whether a model takes inferences."""
        model, version = _asked(request, watch)
        self._engine.find(model, version)
        ready = self._engine.ready()
        return json_response(Ready(name=model, ready=ready), 200 if ready else 503)

    async def server_metadata(self, _: Request, __: Watch) -> Response:
        """Name, version and extensions."""
        return json_response(ServerMetadata(name=NAME, version=self._version, extensions=[*EXTENSIONS]))

    async def model_metadata(self, request: Request, watch: Watch) -> Response:
        """What a model takes and gives."""
        return json_response(to_json(self._descriptions.metadata(*_asked(request, watch))))

    async def model_config(self, request: Request, watch: Watch) -> Response:
        """How a model is batched, and its labels."""
        return json_response(to_json(self._descriptions.config(*_asked(request, watch))))

    async def statistics(self, request: Request, watch: Watch) -> Response:
        """What was counted of a model, or of all."""
        return json_response(to_json(await self._descriptions.statistics(*_asked(request, watch))))

    async def repository_index(self, request: Request, _: Watch) -> Response:
        """The repository's models."""
        body = await self._short(request)
        wanted = decode_json(body, _INDEX_DECODER, "the request") if body else IndexRequest()
        entries = [
            IndexedModel(name=entry.name, version=entry.version, state=entry.state, reason=entry.reason)
            for entry in self._descriptions.index(only_ready=wanted.ready).models
        ]
        return json_response(entries)

    async def load(self, request: Request, watch: Watch) -> Response:
        """Load a model or load it again; answer when every worker has it."""
        await self._engine.control.load(await self._controlled(request, watch))
        return json_response({})

    async def unload(self, request: Request, watch: Watch) -> Response:
        """Serve a model no longer."""
        await self._engine.control.unload(await self._controlled(request, watch))
        return json_response({})

    async def _short(self, request: Request) -> bytearray:
        """The body of a request that is no inference."""
        body, _ = await self._bodies.read(request, max_bytes=MAX_CONTROL_BYTES)
        return body

    async def _controlled(self, request: Request, watch: Watch) -> str:
        """The model to load or unload."""
        model, _ = _asked(request, watch)
        self._engine.control.require()
        body = await self._short(request)
        asked = decode_json(body, _CONTROL_DECODER, "the request") if body else ControlRequest()
        for name, value in (asked.parameters or {}).items():
            if value and name != "unload_dependents":  # a model has none
                raise InvalidRequest(f"the parameter {quoted(name)} is not supported here: leave it out")
        return model


def _asked(request: Request, watch: Watch) -> tuple[str, str]:
    """The path's model and version, told at once; empty where it has none."""
    model, version = request.path_params.get("model", ""), request.path_params.get("version", "")
    watch.about(model, version)
    return model, version
