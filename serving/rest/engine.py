"""What REST needs of the server behind it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, Protocol

from serving.inference import Inference, Outcome
from serving.proto import inference_pb2 as pb

Scope = Literal["infer", "admin"]

# Called with a request's headers, names in lower case, and what it is about to do, None for what all may.
# Raises `Unauthenticated` or `Forbidden`.
Guard = Callable[[Mapping[str, str], Scope | None], None]


class IndexEntry(Protocol):
    """One version of a model in the repository."""

    @property
    def name(self) -> str:
        """The model's."""
        ...

    @property
    def version(self) -> str:
        """As the protocol carries it."""
        ...

    @property
    def state(self) -> str:
        """Such as `READY`."""
        ...

    @property
    def reason(self) -> str:
        """Why it is in this state; empty if there is none to tell."""
        ...


class Control(Protocol):
    """What changes the models that are served."""

    async def load(self, model: str) -> None:
        """Load a model, or reload it."""
        ...

    async def unload(self, model: str) -> None:
        """Serve it no longer."""
        ...


class Engine(Protocol):
    """What answers inferences."""

    draining: bool

    @property
    def control(self) -> Control:
        """Of the repository."""
        ...

    def infer(self, inference: Inference, /) -> Awaitable[Outcome]:
        """Run a model."""
        ...

    def ready(self, name: str = "", version: str = "") -> bool:
        """Whether the server, or one of its models, takes inferences."""
        ...

    def index(self) -> Sequence[IndexEntry]:
        """The repository's models."""
        ...


class Descriptions(Protocol):
    """What is told of models, in the protocol's messages; all raise `ModelNotFound`."""

    def metadata(self, name: str, version: str) -> pb.ModelMetadataResponse:
        """What a model takes and gives."""
        ...

    def config(self, name: str, version: str) -> pb.ModelConfig:
        """How it is batched."""
        ...

    async def statistics(self, name: str, version: str) -> pb.ModelStatisticsResponse:
        """What was counted of it, or of all models where the name is empty."""
        ...
