"""A file of 8-bit numbers under LiteRT's reference kernels, in a process of its own: samples can abort it."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.errors import KitError, WorkerError
from export.exchange import read_arrays, write_arrays
from export.inspecting.tflite_file import inspect_tflite
from export.isolation import Workers
from export.tflite_runner import open_interpreter, quantize

Bytes = NDArray[np.int8] | NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceOrder:
    """What to run.

    Attributes:
        path: of the file.
        samples: as it takes them, by `write_arrays`.
        answers: where they go, likewise and by the same names.
    """

    path: Path
    samples: Path
    answers: Path


class ReferenceKernels:
    """The int8 file, or the uint8 one, numbers in and numbers out.

    Args:
        path: of the file, which has one input and one output.
        scratch: a folder for what its process is handed.
        time_limit_s: seconds that a run may take.

    Raises:
        SourceError: it is no TFLite file.
    """

    def __init__(self, path: Path, scratch: Path, *, time_limit_s: float) -> None:
        (given,) = inspect_tflite(path).inputs
        self._input = {"dtype": given.dtype, "quantization": (given.scale or 0.0, given.zero_point or 0)}
        self._shape = tuple(int(size) for size in given.shape or ())[1:]
        self._path, self._scratch, self._time_limit_s = path.resolve(), scratch, time_limit_s

    def quantize(self, samples: NDArray[Any]) -> Bytes:
        """Samples of the data as the file takes them."""
        numbers: Bytes = quantize(samples, self._input).reshape(len(samples), *self._shape)
        return numbers

    def run(self, samples: Mapping[str, Bytes]) -> dict[str, Bytes]:
        """The answers to sets of samples, by the names of these.

        Raises:
            KitError: the kernels cannot run them, or take too long.
        """
        folder = Path(tempfile.mkdtemp(dir=self._scratch))
        order = ReferenceOrder(
            path=self._path, samples=write_arrays(folder / "samples", samples), answers=folder / "answers"
        )
        with Workers(folder, time_limit_s=self._time_limit_s) as workers:
            try:
                workers.call(run_reference, order)
            except WorkerError as error:
                raise KitError(
                    f"LiteRT's reference kernels cannot run {self._path.name} on these data: {error}"
                ) from error
        return {name: np.asarray(array) for name, array in read_arrays(order.answers).items()}


def run_reference(order: ReferenceOrder) -> None:
    """Run all samples, one a call."""
    interpreter = open_interpreter(order.path, reference_kernels=True)
    (given,), (taken,) = interpreter.get_input_details(), interpreter.get_output_details()
    answers = {}
    for name, samples in read_arrays(order.samples).items():
        answers[name] = np.empty((len(samples), *taken["shape"][1:]), taken["dtype"])
        for place in range(len(samples)):
            interpreter.set_tensor(given["index"], samples[place : place + 1])
            interpreter.invoke()
            answers[name][place] = interpreter.get_tensor(taken["index"])[0]
    write_arrays(order.answers, answers)
