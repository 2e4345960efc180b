"""When a run that no longer gets better ends: by its history alone, so that a resumed run stops as well."""

import math
from collections.abc import Iterable

from training.recipes import Recipe
from training.record import Epoch


def has_stopped(history: Iterable[Epoch], recipe: Recipe) -> bool:
    """Whether the validation accuracy, or without one the loss, was not better for the recipe's patience."""
    best, waited = -math.inf, 0
    for epoch in history:
        accuracy = epoch.validation_accuracy
        value = -epoch.validation_loss if accuracy is None else accuracy
        if value - recipe.stop_delta > best:
            best, waited = value, 0
        else:
            waited += 1
        if 0 < recipe.stop_patience <= waited:
            return True
    return False
