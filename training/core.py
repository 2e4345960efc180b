"""The model in training: built for the data, with the loss that fits its last layer."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.architectures import SMALLEST_SIDE, build_built_in, served_form
from training.batches import has_pixels
from training.custom import Build, is_custom, load_build
from training.datasets import Dataset, Task
from training.errors import DatasetError, RecipeError
from training.recipes import Recipe

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """A model to train.

    Attributes:
        model: from prepared inputs to one output, (batch, classes) or (batch, values).
        served: the form to save, which shares its weights.
        classes: how many; 0 for regression.
        logits: whether a classifier returns logits rather than probabilities.
        source_sha256: of the file of a user's own architecture.
    """

    model: "keras.Model"
    served: "keras.Model"
    classes: int
    logits: bool
    source_sha256: str | None

    def loss(self, label_smoothing: float) -> Any:  # noqa: ANN401  (a Keras loss)
        """The loss to train with."""
        import keras

        if not self.classes:
            return keras.losses.MeanSquaredError()
        return keras.losses.CategoricalCrossentropy(from_logits=self.logits, label_smoothing=label_smoothing)


def build_core(recipe: Recipe, dataset: Dataset) -> Core:
    """Build the recipe's architecture for a data set with a training split.

    Raises:
        DatasetError: the built-in architectures do not take such data.
        RecipeError: the user's own architecture does not fit them.
    """
    assert dataset.train is not None  # noqa: S101  (the caller has checked)
    inputs, pixels = dataset.train.inputs, has_pixels(dataset.train.inputs)
    classes = len(dataset.labels) if dataset.task is Task.CLASSIFICATION else 0
    outputs = classes or dataset.train.y.shape[1]
    sha256 = None
    if is_custom(recipe.architecture):
        build, sha256 = load_build(recipe.architecture)
        shapes = {name: array.shape[1:] for name, array in inputs.items()}
        model = _build_custom(recipe.architecture, build, shapes, outputs)
    else:
        images, side = inputs.get("x"), SMALLEST_SIDE.get(recipe.architecture, 1)
        if not pixels or images is None or min(images.shape[1:3]) < side or not classes:
            raise DatasetError(
                f"{dataset.source}: {recipe.architecture}'s architecture classifies uint8 images of at least "
                f"{side} x {side} pixels: bring your own, --architecture FILE.py:FUNCTION"
            )
        model = build_built_in(recipe.architecture, images.shape[1:], classes, recipe.dropout)
    return Core(
        model=model,
        served=served_form(model, raw_pixels=pixels),
        classes=classes,
        logits=bool(classes) and not _ends_in_softmax(model),
        source_sha256=sha256,
    )


def _build_custom(
    architecture: str,
    build: Build,
    shapes: dict[str, tuple[int, ...]],
    outputs: int,
) -> "keras.Model":
    import keras

    try:
        model = build(next(iter(shapes.values())) if len(shapes) == 1 else shapes, outputs)
    except Exception as error:
        raise RecipeError(f"{architecture} fails ({type(error).__name__}: {error}): mend it") from error
    if not isinstance(model, keras.Model) or not model.built or not getattr(model, "inputs", None):
        raise RecipeError(f"{architecture} returns no built Keras model with inputs: return one")
    names = {tensor.name for tensor in model.inputs}
    if len(shapes) > 1 and names != set(shapes):
        raise RecipeError(
            f"{architecture} takes {', '.join(sorted(names))}, the data hold {', '.join(sorted(shapes))}: "
            "give keras.Input those names"
        )
    found = tuple(model.outputs[0].shape) if len(model.outputs) == 1 else None
    if found != (None, outputs):
        raise RecipeError(f"{architecture} returns {found or 'several outputs'}: return (batch, {outputs})")
    return model


def _ends_in_softmax(model: "keras.Model") -> bool:
    import keras

    last = model.outputs[0]._keras_history.operation  # Keras has no public way back
    return isinstance(last, keras.layers.Softmax) or (
        getattr(last, "activation", None) is keras.activations.softmax
    )
