"""The runner of TFLite files: LiteRT, one sample a call."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from export.errors import ManifestError, first_line
from export.runner import Answer, Feed, Unheld

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

SIGNATURE = "serving_default"
BYTES = 256
LACKS = "Didn't find op"


def open_interpreter(path: Path, *, reference_kernels: bool, keep_tensors: bool = False) -> "Interpreter":
    """Open a TFLite file in LiteRT, on one thread, ready to be invoked.

    Args:
        path: of the file.
        reference_kernels: run LiteRT's reference kernels. They lack a few float operators (ELU is one); a
            file with such is run by LiteRT's optimised kernels, without XNNPACK.
        keep_tensors: keep what is inside the model readable, for which XNNPACK is left out too.

    Raises:
        ManifestError: the file cannot be opened.
    """
    from ai_edge_litert.interpreter import OpResolverType

    try:
        if not reference_kernels and not keep_tensors:
            return _open(path, OpResolverType.AUTO)
        if reference_kernels:
            try:
                return _open(path, OpResolverType.BUILTIN_REF, keep_tensors=keep_tensors)
            except ValueError as error:
                if LACKS not in str(error):
                    raise
        return _open(path, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES, keep_tensors=keep_tensors)
    except (ValueError, RuntimeError) as error:
        raise ManifestError(f"{path} is not a usable TFLite file: {first_line(error)}") from error


def _open(path: Path, kernels: "OpResolverType", *, keep_tensors: bool = False) -> "Interpreter":
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(
        model_path=str(path),
        experimental_op_resolver_type=kernels,
        experimental_preserve_all_tensors=keep_tensors,
        num_threads=1,
    )
    interpreter.allocate_tensors()
    return interpreter


class TFLiteRunner(Unheld):
    """A TFLite file under LiteRT, one sample a call, quantizing inputs and dequantizing outputs.

    Args:
        path: of the file.
        reference_kernels: as `open_interpreter`'s.

    Raises:
        ManifestError: the file cannot be opened.
    """

    def __init__(self, path: Path, *, reference_kernels: bool) -> None:
        self._interpreter = open_interpreter(path, reference_kernels=reference_kernels)
        try:
            signature = self._interpreter.get_signature_runner(SIGNATURE)
        except ValueError as error:
            raise ManifestError(f"{path} has no signature {SIGNATURE}: export it again") from error
        self._inputs: dict[str, dict[str, Any]] = signature.get_input_details()
        self._outputs: dict[str, dict[str, Any]] = signature.get_output_details()
        self._path = path

    def run(self, feed: Feed) -> Answer:
        """Run all samples, one a call, as the file's shapes are fixed.

        Raises:
            ManifestError: LiteRT cannot run the file.
        """
        count = len(next(iter(feed.values())))
        if not count:
            return {}
        tensors = [
            (self._inputs[name]["index"], quantize(array, self._inputs[name])) for name, array in feed.items()
        ]
        interpreter = self._interpreter
        set_tensor, invoke, get_tensor = interpreter.set_tensor, interpreter.invoke, interpreter.get_tensor
        wanted = [(name, detail["index"]) for name, detail in self._outputs.items()]
        raw: dict[str, NDArray[Any]] = {}
        try:
            for sample in range(count):
                for index, tensor in tensors:
                    set_tensor(index, tensor[sample : sample + 1])
                invoke()
                for name, index in wanted:
                    values = get_tensor(index)
                    if name not in raw:
                        raw[name] = np.empty((count, *values.shape[1:]), values.dtype)
                    raw[name][sample] = values[0]
        except (ValueError, RuntimeError) as error:
            raise ManifestError(f"{self._path} cannot be run: {first_line(error)}") from error
        return {name: dequantize(array, self._outputs[name]) for name, array in raw.items()}


def quantize(array: NDArray[Any], detail: dict[str, Any]) -> NDArray[Any]:
    """Numbers as a tensor of LiteRT's takes them: by its scale and zero point, if it has them."""
    scale, zero_point = detail["quantization"]
    dtype = np.dtype(detail["dtype"])
    if scale == 0:
        return array.astype(dtype)
    if array.dtype == np.uint8:  # raw pixels, most of what is run: 256 answers, looked up
        found: NDArray[Any] = _pixel_table(float(scale), int(zero_point), dtype.name)[array]
        return found
    return _quantize(array, float(scale), int(zero_point), dtype)


@functools.cache
def _pixel_table(scale: float, zero_point: int, dtype: str) -> NDArray[Any]:
    return _quantize(np.arange(BYTES, dtype=np.float64), scale, zero_point, np.dtype(dtype))


def _quantize(array: NDArray[Any], scale: float, zero_point: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    limits = np.iinfo(dtype)
    quantized: NDArray[Any] = np.clip(np.rint(array / scale) + zero_point, limits.min, limits.max)
    return quantized.astype(dtype)


def dequantize(array: NDArray[Any], detail: dict[str, Any]) -> NDArray[Any]:
    """The reverse of `quantize`: float32 where the tensor has a scale."""
    scale, zero_point = detail["quantization"]
    if scale == 0:
        return array
    real: NDArray[Any] = (array.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
    return real
