"""What the clients' calls return."""

from dataclasses import dataclass

from export.runner import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """One input or output of a model.

    Attributes:
        name: as requests carry it.
        datatype: the protocol's name, such as `UINT8`.
        shape: -1 for the batch and other free dimensions.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMetadata:
    """What a model takes and gives."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """How a model is batched, and what its classes are called.

    Attributes:
        name: of the model.
        platform: what runs it.
        max_batch_size: rows that one request may hold.
        labels: of the classes, in order; empty if the server names none.
    """

    name: str
    platform: str
    max_batch_size: int
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """One model in a server's repository; `state` is `READY` if it takes requests."""

    name: str
    version: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InferResult:
    """A model's answer.

    Attributes:
        model: that answered.
        version: that answered.
        id: of the request.
        outputs: output name to array, the first dimension counts rows.
    """

    model: str
    version: str
    id: str
    outputs: Answer
