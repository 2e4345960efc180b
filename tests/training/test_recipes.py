import dataclasses

import pytest

from training.architectures import notebook_cnn, served_form
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
