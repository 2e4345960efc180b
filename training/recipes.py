"""Recipes are data: every setting of a training run in one frozen record."""

from dataclasses import dataclass

from training.errors import RecipeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that decides how a model is trained.

    Attributes:
        epochs: passes over the training samples.
        batch_size: samples a step.
        learning_rate: Adam's; the peak, if the schedule moves it.
        cosine_schedule: rise linearly for the warm-up, then fall along half a cosine to nearly zero.
        warmup: share of all steps, 0 to 1.
        label_smoothing: 0 to below 1.
        dropout: share of features dropped before the last layer.
        shift: largest random shift of a training image, pixels each way.
        rotation: largest random rotation, degrees each way.
        zoom: largest random change of size, share each way.
        validation: share of the training samples held out to choose the checkpoint.
        stratified: hold out the same share of every class, at random; else the last samples.
        stop_delta, stop_patience: stop when the validation accuracy has not risen by `stop_delta` for that
            many epochs; never, with a patience of 0.
    """

    name: str
    epochs: int
    batch_size: int
    learning_rate: float
    cosine_schedule: bool = False
    warmup: float = 0.0
    label_smoothing: float = 0.0
    dropout: float = 0.25
    shift: float = 0.0
    rotation: float = 0.0
    zoom: float = 0.0
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
            "validation": (0.001, 0.9),
        }
        for field, (low, high) in bounds.items():
            if not low <= getattr(self, field) <= high:
                raise RecipeError(f"{field} must lie between {low:g} and {high:g}: {getattr(self, field)!r}")

    @property
    def augments(self) -> bool:
        """Whether training images are moved at random."""
        return bool(self.shift or self.rotation or self.zoom)


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
