"""Recipes are data: every setting of a training run in one frozen record."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_type_hints

import msgspec

from training.errors import RecipeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that decides how a model is trained.

    Attributes:
        architecture: a built-in one's name, or a user's own as FILE.py:FUNCTION.
        epochs: passes over the training samples.
        batch_size: samples a step.
        learning_rate: Adam's; the peak, if the schedule moves it.
        weight_decay: decoupled, as AdamW's; 0 for none.
        cosine_schedule: rise linearly for the warm-up, then fall along half a cosine to nearly zero.
        warmup: share of all steps, 0 to 1.
        label_smoothing: 0 to below 1.
        dropout: share of features dropped before the last layer.
        shift: largest random shift of a training image, pixels each way.
        rotation: largest random rotation, degrees each way.
        zoom: largest random change of size, share each way.
        shear: largest random shear, pixels a pixel each way.
        average: momentum of the weights' moving average, which then is validated and kept; 0 for none.
        validation: share of the training samples held out to choose the checkpoint.
        stratified: hold out the same share of every class, at random; else the last samples.
        stop_delta, stop_patience: stop when the validation accuracy has not risen by `stop_delta` for that
            many epochs; never, with a patience of 0.
    """

    name: str
    architecture: str = "notebook"
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.0
    cosine_schedule: bool = False
    warmup: float = 0.0
    label_smoothing: float = 0.0
    dropout: float = 0.25
    shift: float = 0.0
    rotation: float = 0.0
    zoom: float = 0.0
    shear: float = 0.0
    average: float = 0.0
    validation: float = 0.1
    stratified: bool = True
    stop_delta: float = 0.0
    stop_patience: int = 0

    def __post_init__(self) -> None:
        """Reject settings that cannot train."""
        bounds: dict[str, tuple[float, float]] = {
            "epochs": (1, 10_000),
            "batch_size": (1, 65_536),
            "learning_rate": (1e-8, 10),
            "warmup": (0, 1),
            "label_smoothing": (0, 0.99),
            "dropout": (0, 0.99),
            "shift": (0, 1_000),
            "rotation": (0, 180),
            "zoom": (0, 0.9),
            "shear": (0, 1),
            "weight_decay": (0, 1),
            "average": (0, 0.99999),
            "validation": (0.001, 0.9),
            "stop_patience": (0, 10_000),
            "stop_delta": (0, 1),
        }
        for field, (low, high) in bounds.items():
            if not low <= getattr(self, field) <= high:
                raise RecipeError(f"{field} must lie between {low:g} and {high:g}: {getattr(self, field)!r}")

    @property
    def augments(self) -> bool:
        """Whether training images are moved at random."""
        return bool(self.shift or self.rotation or self.zoom or self.shear)


KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}

LONGER = Recipe(
    name="longer",
    epochs=15,
    batch_size=128,
    learning_rate=0.005,
    weight_decay=0.02,
    cosine_schedule=True,
    warmup=0.1,
    label_smoothing=0.02,
    dropout=0.1,
    shift=1.4,
    rotation=7.5,
    zoom=0.07,
    shear=0.1,
    average=0.998,
)

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="notebook",
            epochs=5,
            batch_size=32,
            learning_rate=0.001,
            validation=0.3,
            stratified=False,
            stop_delta=0.01,
            stop_patience=4,
        ),
        Recipe(
            name="default",
            epochs=6,
            batch_size=128,
            learning_rate=0.008,
            cosine_schedule=True,
            warmup=0.15,
            dropout=0.1,
            shift=1.5,
            rotation=8.0,
            zoom=0.08,
        ),
        replace(LONGER, name="best", epochs=40, learning_rate=0.006, validation=0.05),
        replace(LONGER, name="compact", architecture="compact", dropout=0.05),
        replace(LONGER, name="tiny", architecture="tiny", dropout=0.0),
    )
}


def find_recipe(name: str) -> Recipe:
    """The built-in recipe of this name.

    Raises:
        RecipeError: there is none.
    """
    try:
        return RECIPES[name]
    except KeyError:
        raise RecipeError(f"no recipe {name!r}: choose one of {', '.join(RECIPES)}") from None


def change_settings(recipe: Recipe, changes: Sequence[str]) -> Recipe:
    """Change fields of a recipe by `name=value` texts.

    Raises:
        RecipeError: an unknown name (the nearest known one is offered), or a value of another type.
    """
    types = {field: kind for field, kind in get_type_hints(Recipe).items() if field != "name"}
    values: dict[str, object] = {}
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals:
            raise RecipeError(f"{change!r} changes nothing: write name=value")
        if name not in types:
            near = difflib.get_close_matches(name, types, n=1)
            hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(sorted(types))}"
            raise RecipeError(f"a recipe has no setting {name!r}: {hint}")
        try:
            values[name] = msgspec.convert(text, types[name], strict=False)
        except msgspec.ValidationError:
            raise RecipeError(f"{name} takes {KINDS[types[name]]}, not {text!r}") from None
    return msgspec.convert({**msgspec.to_builtins(recipe), **values}, Recipe)
