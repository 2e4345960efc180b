"""Classify images or camera frames: `python classify.py IMAGE.png FRAMES.npy ...`.

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


def scores(frame):
    """The int8 scores of one frame: uint8 pixels, rows from the top, as a camera gives them."""
    model.set_tensor(given["index"], (frame.astype(np.int16) - 128).astype(np.int8).reshape(given["shape"]))
    model.invoke()
    return model.get_tensor(answer["index"])[0]


def frames(path):
    """The frames of an .npy file, or an image brought to the model's size."""
    if path.endswith(".npy"):
        return np.load(path, allow_pickle=False)
    from PIL import Image

    _, height, width, channels = RECORD["input"]["shape"]
    return [np.asarray(Image.open(path).convert("L" if channels == 1 else "RGB").resize((width, height)))]


for path in sys.argv[1:]:
    for frame in frames(path):
        print(path, RECORD["labels"][int(scores(frame).argmax())])
