"""What a model file holds: plain values, read without running anything of it."""

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What a file or folder is, by its name."""

    KERAS = "keras"
    SAVED_MODEL = "saved_model"
    ONNX = "onnx"
    TFLITE = "tflite"


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorFacts:
    """One input or output.

    Attributes:
        name: of it.
        dtype: as numpy names it; None where the file does not say.
        shape: numbers, names of free dimensions, -1 for those without one; None where the file does not say.
        scale, zero_point: real = scale · (stored - zero_point); None if it is not quantized.
    """

    name: str
    dtype: str | None = None
    shape: tuple[int | str, ...] | None = None
    scale: float | None = None
    zero_point: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorFacts:
    """One kind of operator.

    Attributes:
        name: of it; a domain other than ONNX's own comes before a dot.
        version: ONNX: of the opset that last changed it; TFLite: its own; None where there is none.
        count: of nodes.
        custom: whether a runtime needs code of its own for it.
    """

    name: str
    version: int | None = None
    count: int
    custom: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFacts:
    """One layer of a `.keras` file.

    Attributes:
        name: of it.
        class_name: of its class.
        parameters: numbers among its weights; None where they cannot be told.
    """

    name: str
    class_name: str
    parameters: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a model file holds.

    Attributes:
        kind: of the file.
        inputs, outputs: of the signature that is served.
        operators: sorted by name; of a SavedModel those that its signature reaches.
        layers: of a `.keras` file, in order.
        weights: stored numbers by dtype, constants of the graph among them.
        weight_bytes: that these take.
        float_tensors: TFLite: tensors left in floating point, activations among them.
        versions: of formats and producers.
        metadata: what the file says of itself; of binary entries their size.
        custom: classes or operators whose code is not in the file.
        notes: what a reader should know, one line each.
    """

    kind: Kind
    inputs: tuple[TensorFacts, ...] = ()
    outputs: tuple[TensorFacts, ...] = ()
    operators: tuple[OperatorFacts, ...] = ()
    layers: tuple[LayerFacts, ...] = ()
    weights: dict[str, int] = field(default_factory=dict)
    weight_bytes: int | None = None
    float_tensors: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    custom: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
