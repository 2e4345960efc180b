"""What the clients' calls return."""

from dataclasses import dataclass

from clients.errors import ClientError, InputError
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
    """One version of a model in a server's repository.

    Attributes:
        name: of the model.
        version: of the model; empty if none of it is loaded.
        state: `READY` if it takes requests, else `LOADING`, `UNLOADING` or `UNAVAILABLE`.
        reason: why it is not ready; empty if it is.
    """

    name: str
    version: str
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScore:
    """One of a row's most probable classes; the label is empty if the model has none."""

    value: float
    index: int
    label: str


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

    def classes(self, output: str) -> tuple[tuple[ClassScore, ...], ...]:
        """Each row's top classes, of an output that was asked for with `classification`.

        Raises:
            InputError: it was not.
        """
        rows = self.outputs.get(output)
        try:
            if rows is None or rows.dtype.kind != "O":
                raise ValueError("no texts")
            return tuple(tuple(map(_read_score, row)) for row in rows.reshape(len(rows), -1).tolist())
        except ValueError as error:
            raise InputError(
                f"{output} holds no classes: ask with outputs=[{output!r}] and classification=K"
            ) from error


def _read_score(text: bytes) -> ClassScore:
    # Triton's form: value, index and, where the model has labels, the label, which may hold colons itself.
    value, index, *label = text.decode("utf-8", "replace").split(":", 2)
    return ClassScore(value=float(value), index=int(index), label="".join(label))


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamAnswer:
    """What a stream brings for one of its requests.

    Attributes:
        id: of the request.
        answer: what the model gave; None if the request failed.
        error: why it failed; None if it did not.
    """

    id: str
    answer: InferResult | None = None
    error: ClientError | None = None

    def result(self) -> InferResult:
        """The model's answer.

        Raises:
            ClientError: this request failed; the stream goes on.
        """
        if self.error is not None:
            raise self.error
        assert self.answer is not None  # noqa: S101  (one of the two is there)
        return self.answer
