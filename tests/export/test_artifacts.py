"""The published files themselves, looked at from outside."""

import numpy as np
import onnx
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter

from training.datasets import load_dataset


def test_onnx_has_names_a_free_batch_and_takes_raw_pixels(published):
    graph = onnx.load(published / "model.onnx").graph
    shape = [d.dim_param or d.dim_value for d in graph.input[0].type.tensor_type.shape.dim]
    assert (graph.input[0].name, shape) == ("image", ["batch", 28, 28, 1])
    assert graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert {output.name: output.type.tensor_type.shape.dim[0].dim_param for output in graph.output} == {
        "logits": "batch",
        "probabilities": "batch",
    }
    mnist = load_dataset("mnist")
    session = onnxruntime.InferenceSession(published / "model.onnx")
    probabilities = session.run(["probabilities"], {"image": mnist.test.inputs["x"][:1000]})[0]
    assert (probabilities.argmax(1) == mnist.test.y[:1000]).mean() > 0.95


def test_int8_takes_pixel_minus_128_and_knows_no_floats(published):
    interpreter = Interpreter(str(published / "model.int8.tflite"))
    interpreter.allocate_tensors()
    image, (output,) = interpreter.get_input_details()[0], interpreter.get_output_details()
    assert image["dtype"] is np.int8
    assert image["quantization"] == (1.0, -128)
    assert (image["shape"].tolist(), output["shape"].tolist()) == ([1, 28, 28, 1], [1, 10])
    assert {tensor["dtype"] for tensor in interpreter.get_tensor_details()} <= {np.int8, np.int32}
    assert list(interpreter.get_signature_list()["serving_default"]["outputs"]) == ["logits"]
    mnist = load_dataset("mnist")
    right = 0
    for pixels, label in zip(mnist.test.inputs["x"][:500], mnist.test.y[:500], strict=True):
        interpreter.set_tensor(image["index"], (pixels[None].astype(np.int16) - 128).astype(np.int8))
        interpreter.invoke()
        right += int(interpreter.get_tensor(output["index"]).argmax() == label)
    assert right > 475


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("model.tflite", 150_000),
        ("model.fp16.tflite", 80_000),
        ("model.dynamic.tflite", 42_000),
        ("model.int8.tflite", 41_500),
    ],
)
def test_tflite_files_are_as_small_as_their_precision_makes_them(published, name, limit):
    assert (published / name).stat().st_size <= limit
    interpreter = Interpreter(str(published / name))
    assert interpreter.get_signature_list()["serving_default"]["inputs"] == ["image"]
