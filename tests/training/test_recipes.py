import dataclasses
import itertools
import math

import keras
import numpy as np
import pytest

from training.architectures import compact_cnn, notebook_cnn, served_form, tiny_cnn
from training.averaging import WeightAverage
from training.errors import RecipeError
from training.recipes import RECIPES, find_recipe


def test_the_notebook_recipe_is_the_notebooks():
    recipe = find_recipe("notebook")
    assert (recipe.epochs, recipe.batch_size, recipe.validation, recipe.stratified) == (5, 32, 0.3, False)
    assert (recipe.stop_delta, recipe.stop_patience, recipe.dropout) == (0.01, 4, 0.25)
    assert not recipe.augments
    assert not recipe.cosine_schedule


def test_the_notebook_architecture_has_its_shapes_and_parameters():
    core = notebook_cnn((28, 28, 1), 10, 0.25)
    shapes = [tuple(layer.output.shape[1:]) for layer in core.layers]
    assert shapes[:5] == [(26, 26, 32), (13, 13, 32), (11, 11, 64), (5, 5, 64), (1600,)]
    assert shapes[-2:] == [(10,), (10,)]
    assert [layer.name for layer in core.layers[-2:]] == ["logits", "probabilities"]
    assert core.count_params() == 34_826


def test_the_served_form_takes_raw_pixels_and_shares_the_weights():
    core = notebook_cnn((28, 28, 1), 10, 0.25)
    served = served_form(core, raw_pixels=True)
    assert served.count_params() == 34_826
    assert (served.inputs[0].name, served.inputs[0].dtype) == ("image", "uint8")
    assert {name: tuple(tensor.shape) for name, tensor in served.output.items()} == {
        "logits": (None, 10),
        "probabilities": (None, 10),
    }
    core.layers[0].set_weights([weight + 1 for weight in core.layers[0].get_weights()])
    assert served.get_layer("conv1").get_weights()[1].tolist() == core.layers[0].get_weights()[1].tolist()


@pytest.mark.parametrize(("build", "parameters"), [(compact_cnn, 34_506), (tiny_cnn, 18_946)])
def test_the_small_architectures_have_their_parameters(build, parameters):
    assert build((28, 28, 1), 10, 0.0).count_params() == parameters <= 34_826


def test_tiny_keeps_within_16_kib_of_int8_activations_alive_at_once():
    """A byte an element; an operator's input and output live together, what conversion fuses is left out."""
    fused = (keras.layers.BatchNormalization, keras.layers.ReLU, keras.layers.Dropout)
    core = tiny_cnn((28, 28, 1), 10, 0.0)
    sizes = [28 * 28] + [
        math.prod(layer.output.shape[1:]) for layer in core.layers if not isinstance(layer, fused)
    ]
    assert max(before + after for before, after in itertools.pairwise(sizes)) == 14_624 < 16 * 1024


def test_the_average_follows_every_weight_and_can_be_shown_and_hidden():
    """Against the recursion by hand: shares of 9/10, 9/11, ... of each step, at least 1 - momentum."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1), keras.layers.BatchNormalization()])
    average = WeightAverage(model, 0.5)
    expected = [weight.copy() for weight in model.get_weights()]
    generator = np.random.default_rng(0)
    for step in range(12):
        model.set_weights([generator.normal(size=weight.shape) for weight in model.get_weights()])
        average.update()
        share = max(0.5, 9 / (10 + step))
        expected = [old + share * (new - old) for old, new in zip(expected, model.get_weights(), strict=True)]
    own = model.get_weights()
    average.show(averaged=True)
    for weight, wanted in zip(model.get_weights(), expected, strict=True):
        assert np.allclose(weight, wanted, atol=1e-5)
    average.show(averaged=False)
    assert all(np.array_equal(a, b) for a, b in zip(own, model.get_weights(), strict=True))


def test_an_unknown_recipe_lists_the_known_ones():
    with pytest.raises(RecipeError, match="notebook, default"):
        find_recipe("notbook")


@pytest.mark.parametrize(
    "change",
    [{"epochs": 0}, {"batch_size": 0}, {"learning_rate": -1.0}, {"dropout": 1.0}, {"validation": 0.0}],
)
def test_settings_that_cannot_train_are_refused(change):
    with pytest.raises(RecipeError, match="must lie between"):
        dataclasses.replace(RECIPES["default"], **change)
