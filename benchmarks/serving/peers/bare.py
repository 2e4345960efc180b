"""The session's own limit: an onnxruntime loop with one thread and nothing around it.

python bare.py MODEL.onnx ROWS SECONDS: prints a JSON object, rows_per_s and run_ms (median).
"""

import json
import statistics
import sys
import time

import numpy as np
import onnxruntime as ort

path, rows, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(path, options)
(tensor,) = session.get_inputs()
shape = (rows, *tensor.shape[1:])
feed = {tensor.name: np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)}
session.run(None, feed)
runs = []
began = last = time.perf_counter()
while last - began < seconds:
    session.run(None, feed)
    runs.append(-last + (last := time.perf_counter()))
print(json.dumps({"rows_per_s": rows * len(runs) / (last - began), "run_ms": 1000 * statistics.median(runs)}))
