"""The model in training: built for the data, with the loss that fits its last layer."""

import contextlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.architectures import SMALLEST_SIDE, build_built_in, served_form
from training.batches import has_pixels
from training.custom import Build, first_line, is_custom, load_build, refuse_unloadable
from training.datasets import Dataset, Task
from training.errors import DatasetError, RecipeError
from training.recipes import Recipe

if TYPE_CHECKING:
    import keras

TRIED_SAMPLES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """A model to train.

    Attributes:
        model: from prepared inputs to one output, (batch, classes) or (batch, values).
        served: the form to save, which shares its weights.
        classes: how many; 0 for regression.
        logits: whether a classifier returns logits rather than probabilities.
        source_sha256: of the file of a user's own architecture.
        objects: the classes and functions of that file, by name, to load a checkpoint with.
    """

    model: "keras.Model"
    served: "keras.Model"
    classes: int
    logits: bool
    source_sha256: str | None = None
    objects: Mapping[str, Any] = field(default_factory=dict)

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
    if is_custom(recipe.architecture):
        return _custom_core(recipe.architecture, inputs, classes, outputs)
    images, side = inputs.get("x"), SMALLEST_SIDE.get(recipe.architecture, 1)
    if not pixels or images is None or min(images.shape[1:3]) < side or not classes:
        raise DatasetError(
            f"{dataset.source}: {recipe.architecture}'s architecture classifies uint8 images of at least "
            f"{side} x {side} pixels: bring your own, --architecture FILE.py:FUNCTION"
        )
    model = build_built_in(recipe.architecture, images.shape[1:], classes, recipe.dropout)
    served = served_form(model, raw_pixels=pixels)
    return Core(model=model, served=served, classes=classes, logits=False)


def _custom_core(architecture: str, inputs: Mapping[str, NDArray[Any]], classes: int, outputs: int) -> Core:
    shapes = {name: array.shape[1:] for name, array in inputs.items()}
    with contextlib.redirect_stdout(sys.stderr):  # what the file prints is no part of the result
        loaded = load_build(architecture)
        model = _build_custom(architecture, loaded.build, shapes, outputs)
        logits = bool(classes) and not _gives_probabilities(architecture, model, inputs)
        served = served_form(model, raw_pixels=has_pixels(inputs))
        refuse_unloadable(served, loaded.objects, architecture)
    return Core(
        model=model,
        served=served,
        classes=classes,
        logits=logits,
        source_sha256=loaded.sha256,
        objects=loaded.objects,
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
    except (Exception, SystemExit) as error:
        raise RecipeError(
            f"{architecture} fails ({type(error).__name__}: {first_line(error)}): mend it"
        ) from error
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


def _gives_probabilities(architecture: str, model: "keras.Model", inputs: Mapping[str, NDArray[Any]]) -> bool:
    """Whether a classifier ends in softmax: by its last layer, or by what it returns for a few samples."""
    import keras

    last = model.outputs[0]._keras_history.operation  # Keras has no public way back
    if isinstance(last, keras.layers.Softmax) or (
        getattr(last, "activation", None) is keras.activations.softmax
    ):
        return True
    few = {name: array[:TRIED_SAMPLES] for name, array in inputs.items()}
    if has_pixels(inputs):
        few = {name: array.astype(np.float32) / 255 for name, array in few.items()}
    try:
        outputs = model(few if len(few) > 1 else next(iter(few.values())), training=False)
        answers = keras.ops.convert_to_numpy(outputs).astype(np.float64)
    except Exception as error:
        raise RecipeError(
            f"{architecture} cannot take the data ({type(error).__name__}: {first_line(error)}): mend it"
        ) from error
    return bool((answers >= 0).all() and np.allclose(answers.sum(axis=1), 1, rtol=0, atol=1e-3))
