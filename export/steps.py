"""The steps of an export, each in a process of its own: prepare the reference, convert, measure, time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from export.converters.layer_names import check_layers, layer_names
from export.custom import CustomCode
from export.errors import ConversionError
from export.exchange import read_arrays
from export.formats import FORMATS, Family, Format
from export.judge import judge
from export.latency import Latency, time_runners
from export.manifest import Artifact, TensorInfo, datatype_name
from export.parity.compare import meaning
from export.reference import (
    Reference,
    ReferenceKind,
    ReferenceModel,
    fit_samples,
    read_targets,
    run_reference,
)
from export.runner import Feed, InputSpec
from export.runners import KerasRunner, OnnxRunner, SavedModelRunner, model_inputs, open_runner
from export.sessions import SessionSettings
from export.source import load_checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareOrder:
    """Run a reference on the test samples.

    Attributes:
        model: the reference.
        data: a folder of arrays: `test/<input>`, and the targets under their kinds.
        out: the folder to write the reference to.
        source: of the data, for messages.
        data_sha256: of the data.
        labels: one text a class.
        keep_float: names of layers that the model must have.
    """

    model: ReferenceModel
    data: Path
    out: Path
    source: str
    data_sha256: str
    labels: tuple[str, ...]
    keep_float: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a reference takes and returns.

    Attributes:
        inputs, outputs: its tensors.
        labels: one text a class that it tells apart.
    """

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    labels: tuple[str, ...]


def prepare(order: PrepareOrder) -> Prepared:
    """Run a reference on the test samples, and keep its answers for the other steps.

    Raises:
        SourceError: the model cannot be loaded, has not such layers, or the data do not fit it.
    """
    with _reference_runner(order.model, order.keep_float) as runner:
        inputs = runner.inputs
        reference = run_reference(
            runner,
            fit_samples(inputs, read_arrays(order.data, "test")),
            read_targets(order.data),
            source=order.source,
            labels=order.labels,
            sha256=order.model.sha256,
            data_sha256=order.data_sha256,
        )
    reference.save(order.out)
    return Prepared(inputs=_input_infos(inputs), outputs=_output_infos(reference), labels=reference.labels)


def _reference_runner(
    model: ReferenceModel, layers: tuple[str, ...]
) -> KerasRunner | SavedModelRunner | OnnxRunner:
    match model.kind:
        case ReferenceKind.KERAS:
            loaded = load_checkpoint(model.path, model.custom)
            check_layers(layers, layer_names(loaded))
            return KerasRunner(loaded)
        case ReferenceKind.SAVED_MODEL:
            return SavedModelRunner(model.path)
        case ReferenceKind.ONNX:
            return OnnxRunner(model.path, model.settings)
        case kind:
            assert_never(kind)


def _input_infos(inputs: Iterable[InputSpec]) -> tuple[TensorInfo, ...]:
    return tuple(
        TensorInfo(
            name=spec.name,
            datatype=datatype_name(spec.dtype),
            shape=(-1, *(-1 if size is None else size for size in spec.shape)),
            meaning="raw pixels, 0 to 255" if spec.dtype == "uint8" else "as the model was trained",
        )
        for spec in inputs
    )


def _output_infos(reference: Reference) -> tuple[TensorInfo, ...]:
    return tuple(
        TensorInfo(
            name=name,
            datatype=datatype_name(values.dtype.name),
            shape=(-1, *values.shape[1:]),
            meaning=meaning(values),
        )
        for name, values in sorted(reference.answer.items())
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertOrder:
    """Convert a checkpoint to one format.

    Attributes:
        format: the one.
        checkpoint: the `.keras` file.
        custom: code of layers that are not Keras's own.
        data: a folder of arrays: `test/<input>`, and `calibration/<input>` where there are training samples.
        folder: in which the format's file belongs.
        labels: one text a class.
        keep_float: layers to leave out of quantization.
        quantizer: which library quantizes TFLite files.
    """

    format: Format
    checkpoint: Path
    custom: CustomCode | None
    data: Path
    folder: Path
    labels: tuple[str, ...]
    keep_float: tuple[str, ...]
    quantizer: str


def convert(order: ConvertOrder) -> None:
    """Write one format's file or folder.

    Raises:
        ConversionError: the format cannot express the model.
        SourceError: the checkpoint cannot be loaded, or the training samples do not fit it.
    """
    path = order.folder / FORMATS[order.format].path
    match order.format:
        case Format.ONNX_FP16:
            from export.converters.to_onnx_fp16 import export_onnx_fp16

            onnx = order.folder / FORMATS[Format.ONNX].path
            export_onnx_fp16(onnx, path, keep_float=order.keep_float)
        case Format.ONNX_INT8:
            from export.converters.to_onnx_int8 import export_onnx_int8

            onnx = order.folder / FORMATS[Format.ONNX].path
            with OnnxRunner(onnx, SessionSettings()) as runner:
                calibration = _calibration(order, runner.inputs)
            export_onnx_int8(onnx, path, calibration, keep_float=order.keep_float)
        case _:
            _convert_checkpoint(order, path)


def _convert_checkpoint(order: ConvertOrder, path: Path) -> None:
    model = load_checkpoint(order.checkpoint, order.custom)
    match FORMATS[order.format].family:
        case Family.SAVED_MODEL:
            from export.converters.to_saved_model import export_saved_model

            export_saved_model(model, path)
        case Family.ONNX:
            from export.converters.to_onnx import export_onnx

            export_onnx(model, path, labels=order.labels)
        case Family.TFLITE:
            from export.converters.to_tflite import TFLiteOptions, export_tflite

            calibrated = FORMATS[order.format].calibrated
            options = TFLiteOptions(
                calibration=_calibration(order, model_inputs(model)) if calibrated else None,
                labels=order.labels,
                keep_float=order.keep_float,
                quantizer=order.quantizer,
                sample_shapes=_sample_shapes(order, model_inputs(model)),
            )
            export_tflite(model, path, order.format, options)
        case family:
            assert_never(family)


def _sample_shapes(order: ConvertOrder, inputs: Sequence[InputSpec]) -> dict[str, tuple[int, ...]]:
    samples = fit_samples(inputs, read_arrays(order.data, "test"))
    return {name: array.shape[1:] for name, array in samples.items()}


def _calibration(order: ConvertOrder, inputs: Sequence[InputSpec]) -> Feed:
    samples = read_arrays(order.data, "calibration")
    if not samples:
        raise ConversionError(
            f"{order.format} needs training samples to calibrate on: add x_train, y_train or --calibration"
        )
    return fit_samples(inputs, samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureOrder:
    """Run one artifact and judge it.

    Attributes:
        path: of the artifact.
        format: its own.
        reference: the folder of what it is held to.
        settings: for ONNX, of the session.
        margin_points: instead of the tier's margin.
    """

    path: Path
    format: Format
    reference: Path
    settings: SessionSettings
    margin_points: float | None = None


def measure(order: MeasureOrder) -> Artifact:
    """Run an artifact on the reference's samples and give it a verdict."""
    reference = Reference.open(order.reference)
    return judge(order.path, order.format, reference, order.settings, order.margin_points)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeOrder:
    """Time artifacts side by side.

    Attributes:
        artifacts: path and format of each.
        reference: the folder of the samples.
        settings: for ONNX, of the sessions.
    """

    artifacts: tuple[tuple[Path, Format], ...]
    reference: Path
    settings: SessionSettings


def time_artifacts(order: TimeOrder) -> tuple[Latency, ...]:
    """Time artifacts in turn, as they run in practice: TFLite under LiteRT's default kernels."""
    runners = [
        open_runner(path, kind, order.settings, reference_kernels=False) for path, kind in order.artifacts
    ]
    return tuple(time_runners(runners, Reference.open(order.reference).feed))
