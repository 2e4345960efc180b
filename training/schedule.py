"""The optimizer and how its learning rate moves over a run."""

from typing import TYPE_CHECKING, Any

from training.recipes import Recipe

if TYPE_CHECKING:
    import keras


def make_optimizer(recipe: Recipe, steps: int) -> "keras.Optimizer":
    """Adam with the recipe's schedule and decay.

    Args:
        recipe: the settings.
        steps: in an epoch.
    """
    import keras

    return keras.optimizers.Adam(
        learning_rate(recipe, steps),
        weight_decay=recipe.weight_decay or None,
    )


def learning_rate(recipe: Recipe, steps: int) -> Any:  # noqa: ANN401  (a number or a Keras schedule)
    """The recipe's learning rate for epochs of `steps` steps: a number, or a schedule over steps from 0."""
    import keras

    if not recipe.cosine_schedule:
        return recipe.learning_rate
    total = steps * recipe.epochs
    warmup = round(total * recipe.warmup)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.05 * recipe.learning_rate if warmup else recipe.learning_rate,
        warmup_target=recipe.learning_rate if warmup else None,
        warmup_steps=warmup,
        decay_steps=max(1, total - warmup),
        alpha=0.01,
    )


def last_rate(recipe: Recipe, steps: int, epoch: int) -> float:
    """The learning rate of the last step of an epoch, counted from 1."""
    rate = learning_rate(recipe, steps)
    return float(rate(epoch * steps - 1) if callable(rate) else rate)
