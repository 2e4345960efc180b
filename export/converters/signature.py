"""One way to call any Keras model: named inputs in, a dict of named outputs out."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from export.errors import ConversionError

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedShape:
    """The one shape that a file for devices takes.

    Attributes:
        sample_shapes: shape of one sample by input name, which fills in what the model leaves free.
        batch: samples a call: what microcontrollers and browsers take.
    """

    sample_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    batch: int = 1


@dataclass(frozen=True, slots=True)
class Signature:
    """The inputs of a Keras model by name, and how to call it with them.

    Attributes:
        model: inference mode, its weights as they are.
    """

    model: "keras.Model"

    def inputs(self, fixed: FixedShape | None = None) -> "list[tf.TensorSpec]":
        """Specs of the inputs, in the model's order.

        Args:
            fixed: to what free dimensions are set; None leaves them free.

        Raises:
            ConversionError: a free dimension that no sample shape fills.
        """
        import tensorflow as tf

        if fixed is None:
            shapes = [(None, *tensor.shape[1:]) for tensor in self.model.inputs]
        else:
            shapes = [(fixed.batch, *_sample_shape(tensor, fixed)) for tensor in self.model.inputs]
        return [
            tf.TensorSpec(shape, tensor.dtype, name=tensor.name)
            for shape, tensor in zip(shapes, self.model.inputs, strict=True)
        ]

    def function(self, dropped: frozenset[str] = frozenset()) -> "Callable[..., dict[str, tf.Tensor]]":
        """A plain function of the input tensors, in the order of `inputs`.

        Args:
            dropped: outputs to leave out.
        """

        def serve(*tensors: "tf.Tensor") -> "dict[str, tf.Tensor]":
            outputs = name_outputs(self.model, self.model(structured(self.model, tensors), training=False))
            return {name: value for name, value in outputs.items() if name not in dropped}

        return serve


def _sample_shape(tensor: "keras.KerasTensor", fixed: FixedShape) -> tuple[int, ...]:
    """The shape of one sample, without free dimensions."""
    shape = tuple(tensor.shape[1:])
    if None not in shape:
        return shape
    given = fixed.sample_shapes.get(tensor.name, ())
    if len(given) != len(shape) or any(
        size not in (None, got) for size, got in zip(shape, given, strict=True)
    ):
        raise ConversionError(
            f"input {tensor.name} has free dimensions, {shape}, and no sample fills them: add test samples"
        )
    return given


def structured(model: "keras.Model", tensors: Iterable[Any]) -> Any:  # noqa: ANN401  (the model's own)
    """Inputs as the model was built to take them: one, a list, a dict.

    Args:
        model: theirs.
        tensors: in the order of its inputs.
    """
    import keras

    flat = list(tensors)
    if len(flat) == 1 and not keras.tree.is_nested(getattr(model, "input", None)):
        return flat[0]
    return keras.tree.pack_sequence_as(model.input, flat)


def name_outputs(model: "keras.Model", outputs: Any) -> dict[str, Any]:  # noqa: ANN401  (whatever a model returns)
    """Give every output of a call its name."""
    import keras

    if isinstance(outputs, dict) and not any(keras.tree.is_nested(value) for value in outputs.values()):
        return dict(outputs)
    return dict(zip(output_names(model), keras.tree.flatten(outputs), strict=True))


def output_names(model: "keras.Model") -> list[str]:
    """The outputs' names; a Sequential model keeps none, there it is the last layer's.

    Outputs of one layer are numbered from the second on, as they would else be one.
    """
    import keras

    names = [model.layers[-1].name] if isinstance(model, keras.Sequential) else list(model.output_names)
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        unique.append(f"{name}_{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return unique
