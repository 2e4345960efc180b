"""Scaling at the inputs moved into weights: held against LiteRT running the graph before and after."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers

from export.converters.integer_form import integer_form
from export.converters.signature import FixedShape
from export.converters.tflite_convert import convert_saved_model
from export.converters.tflite_graph import TFLiteGraph
from export.converters.to_saved_model import export_saved_model

MINUS_ONE_TO_ONE = {"scale": 1 / 127.5, "offset": -1.0}


def build(*steps: keras.Layer) -> keras.Model:
    keras.utils.set_random_seed(2)
    image = keras.Input((8, 8, 3), dtype="uint8", name="image")
    tensor = image
    for step in steps:
        tensor = step(tensor)
    return keras.Model(image, tensor)


@pytest.mark.parametrize(
    ("steps", "arithmetic"),
    [
        ((layers.Rescaling(**MINUS_ONE_TO_ONE), layers.Conv2D(4, 3)), 0),
        ((layers.Rescaling(**MINUS_ONE_TO_ONE), layers.DepthwiseConv2D(3, depth_multiplier=2)), 0),
        ((layers.Rescaling(**MINUS_ONE_TO_ONE), layers.Conv2D(4, 1, padding="same", use_bias=False)), 0),
        ((layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(4, use_bias=False)), 0),
        ((layers.Normalization(mean=[9, 8, 7], variance=[4, 5, 6]), layers.Flatten(), layers.Dense(4)), 0),
        # Zeros around the picture come after the scaling, which an offset would move.
        ((layers.Rescaling(**MINUS_ONE_TO_ONE), layers.Conv2D(4, 3, padding="same")), 2),
        # One kernel cannot take inputs of scales so far apart and keep its int8 digits.
        ((layers.Normalization(mean=[0, 0, 0], variance=[1, 1, 900]), layers.Conv2D(4, 3)), 1),
        ((layers.Rescaling(1 / 255), layers.MaxPooling2D(), layers.Conv2D(4, 3)), 1),
    ],
)
def test_folding_changes_no_answer_and_leaves_no_arithmetic_where_it_is_exact(steps, arithmetic, tmp_path):
    saved = export_saved_model(build(*steps), tmp_path / "saved_model", fixed=FixedShape())
    before = convert_saved_model(saved)
    form = integer_form(before)
    assert form.pixels == form.floats == ("image",)
    graph = TFLiteGraph(form.content)
    kinds = [graph.kind(operator) for operator in graph.main.operators]
    assert "CAST" not in kinds
    assert sum(kind in ("MUL", "ADD", "SUB") for kind in kinds) <= arithmetic
    assert ("MUL" in kinds) is bool(arithmetic)
    images = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3)).astype(np.uint8)
    expected, found = run(before, images), run(form.content, images.astype(np.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * abs(expected).max())


def run(content: bytes, images: np.ndarray) -> np.ndarray:
    signature = Interpreter(model_content=content).get_signature_runner("serving_default")
    (answer,) = signature(image=images).values()
    return answer
