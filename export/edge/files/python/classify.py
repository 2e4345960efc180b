"""Run the model on images, camera frames or arrays: `python classify.py IMAGE.png SAMPLES.npy ...`.

Needs ai-edge-litert and numpy, and for image files Pillow; no TensorFlow.
"""

import json
import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

KIT = Path(__file__).resolve().parent.parent
RECORD = json.loads((KIT / "kit.json").read_text(encoding="utf-8"))
REFERENCE = OpResolverType.BUILTIN_REF  # the kernels whose bytes are the golden ones; AUTO is faster
model = Interpreter(str(KIT / "model_int8.tflite"), experimental_op_resolver_type=REFERENCE)
model.allocate_tensors()
(given,), (answer,) = model.get_input_details(), model.get_output_details()


def scores(sample):
    """The int8 scores of one sample: pixels of 0 to 255, rows from the top; of other models its values."""
    scale, zero_point = given["quantization"]
    numbers = np.clip(np.rint(sample / scale) + zero_point, -128, 127).astype(np.int8)
    model.set_tensor(given["index"], numbers.reshape(given["shape"]))
    model.invoke()
    return model.get_tensor(answer["index"])[0]


def samples(path):
    """The samples of an .npy file, one or many, or an image brought to the model's size."""
    if path.endswith(".npy"):
        found = np.load(path, allow_pickle=False)
    else:
        from PIL import Image

        _, height, width, channels = given["shape"]
        found = np.asarray(Image.open(path).convert("L" if channels == 1 else "RGB").resize((width, height)))
    if RECORD["pixels"] and found.dtype != np.uint8:
        sys.exit(f"{path} holds {found.dtype}: give pixels of 0 to 255 as uint8")
    return found.reshape(-1, *given["shape"][1:])


def text(found):
    """The class of scores; of models without classes their values."""
    labels, (scale, zero_point) = RECORD["labels"], answer["quantization"]
    return labels[found.argmax()] if len(labels) == found.size else (found - float(zero_point)) * scale


if __name__ == "__main__":
    for path in sys.argv[1:] or sys.exit(__doc__):
        print(*(f"{path} {text(scores(sample))}" for sample in samples(path)), sep="\n")
