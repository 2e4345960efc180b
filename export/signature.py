"""One way to call any Keras model: named inputs in, a dict of named outputs out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras
    import tensorflow as tf

FIXED_BATCH = 1  # what microcontrollers and browsers take


@dataclass(frozen=True, slots=True)
class Signature:
    """The inputs of a Keras model by name, and how to call it with them.

    Attributes:
        model: inference mode, its weights as they are.
    """

    model: "keras.Model"

    def inputs(self, batch: int | None) -> "list[tf.TensorSpec]":
        """Specs of the inputs, the first dimension `batch` samples or free."""
        import tensorflow as tf

        return [
            tf.TensorSpec((batch, *tensor.shape[1:]), tensor.dtype, name=tensor.name)
            for tensor in self.model.inputs
        ]

    def function(self) -> "Callable[..., dict[str, tf.Tensor]]":
        """A plain function of the input tensors, in the order of `inputs`."""
        model, names = self.model, [tensor.name for tensor in self.model.inputs]

        def serve(*tensors: "tf.Tensor") -> "dict[str, tf.Tensor]":
            feed: Any = tensors[0] if len(tensors) == 1 else dict(zip(names, tensors, strict=True))
            return name_outputs(model, model(feed, training=False))

        return serve


def name_outputs(model: "keras.Model", outputs: Any) -> dict[str, Any]:  # noqa: ANN401  (whatever a model returns)
    """Give every output of a call its name."""
    if isinstance(outputs, dict):
        return dict(outputs)
    values = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
    return dict(zip(output_names(model), values, strict=True))


def output_names(model: "keras.Model") -> list[str]:
    """The outputs' names; a Sequential model keeps none, there it is the last layer's."""
    import keras

    if isinstance(model, keras.Sequential):
        return [model.layers[-1].name]
    return list(model.output_names)
