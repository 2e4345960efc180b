"""Runners for what a version holds: Keras, SavedModel, ONNX, TFLite."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

import numpy as np
from numpy.typing import NDArray

from export.converters.signature import name_outputs, structured
from export.errors import ManifestError, SourceError, first_line
from export.formats import FORMATS, Family, Format
from export.runner import Answer, Feed, InputSpec, Runner, Unheld
from export.sessions import SessionSettings, open_session
from export.tflite_runner import TFLiteRunner

if TYPE_CHECKING:
    import keras

# As onnxruntime spells the types whose names are not numpy's in brackets.
ONNX_DTYPES = {
    **{f"tensor({name})": name for name in ("bool", "float16")},
    **{f"tensor({sign}int{bits})": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "tensor(float)": "float32",
    "tensor(double)": "float64",
}
BATCH = 250  # samples a call where a batch may have any size: little memory, little overhead


def open_runner(
    path: Path, kind: Format, settings: SessionSettings, *, reference_kernels: bool | None = None
) -> Runner:
    """Open an artifact the way it will be run.

    Args:
        path: of the artifact.
        kind: its format.
        settings: for ONNX, the session settings that the server will use.
        reference_kernels: for TFLite, whether to run LiteRT's reference kernels; by default for formats in
            integers, which XNNPACK, LiteRT's default, rounds differently.

    Raises:
        ManifestError: the artifact cannot be opened.
    """
    match FORMATS[kind].family:
        case Family.SAVED_MODEL:
            return SavedModelRunner(path)
        case Family.ONNX:
            return OnnxRunner(path, settings)
        case Family.TFLITE:
            integer = FORMATS[kind].integer
            return TFLiteRunner(
                path, reference_kernels=integer if reference_kernels is None else reference_kernels
            )
        case family:
            assert_never(family)


class _Batched(Unheld, ABC):
    """What runners share that take any number of samples: call in slices, join the answers."""

    def run(self, feed: Feed) -> Answer:
        """Run all samples, `BATCH` at a time."""
        count = len(next(iter(feed.values())))
        parts = [
            self._call({name: array[start : start + BATCH] for name, array in feed.items()})
            for start in range(0, count, BATCH)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}

    @abstractmethod
    def _call(self, feed: dict[str, NDArray[Any]]) -> Answer: ...


def model_inputs(model: "keras.Model") -> tuple[InputSpec, ...]:
    """What a Keras model takes."""
    return tuple(
        InputSpec(name=tensor.name, dtype=tensor.dtype, shape=tuple(tensor.shape[1:]))
        for tensor in model.inputs
    )


class KerasRunner(_Batched):
    """The checkpoint itself, the usual reference."""

    def __init__(self, model: "keras.Model") -> None:
        import tensorflow as tf

        self.inputs = model_inputs(model)
        self._model = model
        self._function = tf.function(lambda feed: model(feed, training=False), reduce_retracing=True)

    def _call(self, feed: dict[str, NDArray[Any]]) -> Answer:
        inputs = structured(self._model, [feed[spec.name] for spec in self.inputs])
        try:
            outputs = name_outputs(self._model, self._function(inputs))
        except Exception as error:
            raise SourceError(
                f"the model cannot be run on these samples ({first_line(error)}): mend it or the samples"
            ) from error
        return {name: np.asarray(value) for name, value in outputs.items()}


class SavedModelRunner(_Batched):
    """A SavedModel through its `serving_default` signature."""

    def __init__(self, path: Path) -> None:
        import tensorflow as tf

        try:
            self._loaded = tf.saved_model.load(str(path))
            self._signature = self._loaded.signatures["serving_default"]
        except (OSError, KeyError) as error:
            raise ManifestError(f"{path} is no SavedModel with a serving_default: export it again") from error
        _, specs = self._signature.structured_input_signature
        self.inputs = tuple(
            InputSpec(name=name, dtype=spec.dtype.name, shape=tuple(spec.shape[1:]))
            for name, spec in specs.items()
        )

    def _call(self, feed: dict[str, NDArray[Any]]) -> Answer:
        import tensorflow as tf

        outputs = self._signature(**{name: tf.constant(array) for name, array in feed.items()})
        return {name: value.numpy() for name, value in outputs.items()}


class OnnxRunner(_Batched):
    """An ONNX file in a session that is set as the server's."""

    def __init__(self, path: Path, settings: SessionSettings) -> None:
        self._session = open_session(path, settings)
        self._outputs = [output.name for output in self._session.get_outputs()]
        self.inputs = tuple(
            InputSpec(
                name=tensor.name,
                dtype=ONNX_DTYPES.get(tensor.type, tensor.type),
                shape=tuple(size if isinstance(size, int) else None for size in tensor.shape[1:]),
            )
            for tensor in self._session.get_inputs()
        )

    def _call(self, feed: dict[str, NDArray[Any]]) -> Answer:
        return dict(zip(self._outputs, self._session.run(self._outputs, feed), strict=True))
