"""The TFLite files of the default model: inputs, outputs, metadata, layers in floats, repeatable bytes."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

import export.converters.quantizers
import export.converters.to_tflite
from export.converters.tflite_graph import TFLiteGraph
from export.converters.tflite_metadata import read_metadata
from export.converters.to_tflite import TFLiteOptions, export_tflite
from export.errors import ConversionError, SourceError
from export.formats import FORMATS, Format
from export.runners import KerasRunner
from export.tflite_runner import TFLiteRunner
from training.architectures import build_built_in, served_form
from training.datasets import load_dataset

ROOT = Path(__file__).resolve().parent.parent.parent
TFLITE = [target for target in FORMATS if target.startswith("tflite")]
LABELS = tuple("0123456789")


@pytest.fixture(scope="module")
def mnist():
    return load_dataset("mnist")


@pytest.fixture(scope="module")
def model(mnist):
    """The default model after one epoch on 2,000 images."""
    keras.utils.set_random_seed(3)
    core = build_built_in("notebook", (28, 28, 1), 10, 0.3)
    images = mnist.train.inputs["x"][:2000].astype(np.float32) / 255
    targets = np.asarray(mnist.train.y[:2000])
    core.compile("adam", "sparse_categorical_crossentropy")
    core.fit(images, targets, batch_size=32, verbose=0)
    return served_form(core, raw_pixels=True)


@pytest.fixture(scope="module")
def options(mnist):
    return TFLiteOptions(calibration={"image": mnist.train.inputs["x"][:200]}, labels=LABELS)


@pytest.fixture(scope="module")
def files(model, options, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return {target: export_tflite(model, folder / target, target, options) for target in TFLITE}


@pytest.fixture(scope="module")
def answers(model, mnist):
    with KerasRunner(model) as runner:
        return runner.run({"image": mnist.test.inputs["x"][:300]})


@pytest.mark.parametrize(
    ("target", "tolerance", "most_flips", "most_bytes"),
    [
        (Format.TFLITE, 1e-5, 0, 145_000),
        (Format.TFLITE_FP16, 3e-3, 0, 76_000),
        (Format.TFLITE_DYNAMIC, 3e-2, 6, 41_000),
        (Format.TFLITE_INT8, 5e-2, 6, 41_500),
        (Format.TFLITE_UINT8, 5e-2, 6, 42_000),
        (Format.TFLITE_INT16X8, 2e-2, 3, 43_500),
    ],
)
def test_every_precision_answers_as_the_model(
    target, tolerance, most_flips, most_bytes, files, answers, mnist
):
    assert files[target].stat().st_size <= most_bytes
    with TFLiteRunner(files[target], reference_kernels=FORMATS[target].integer) as runner:
        answer = runner.run({"image": mnist.test.inputs["x"][:300]})
    logits = answers["logits"]
    assert abs(answer["logits"] - logits).max() <= tolerance * abs(logits).max()
    assert (answer["logits"].argmax(1) != logits.argmax(1)).sum() <= most_flips
    assert ("probabilities" in answer) is not FORMATS[target].integer


@pytest.mark.parametrize(
    ("target", "dtype", "scale", "zero_point"),
    [
        (Format.TFLITE, np.uint8, 0, 0),
        (Format.TFLITE_INT8, np.int8, 1, -128),
        (Format.TFLITE_UINT8, np.uint8, 1, 0),
        (Format.TFLITE_INT16X8, np.int16, 1 / 128, 0),
    ],
)
def test_a_raw_pixel_becomes_a_number_by_a_rule_that_a_device_can_follow(
    target, dtype, scale, zero_point, files
):
    interpreter = Interpreter(str(files[target]))
    signature = interpreter.get_signature_runner("serving_default")
    image = signature.get_input_details()["image"]
    assert (image["dtype"], image["quantization"]) == (dtype, (scale, zero_point))
    assert image["shape"].tolist() == [1, 28, 28, 1]
    if FORMATS[target].integer:
        whole = {np.int8, np.uint8, np.int16, np.int32, np.int64}
        assert {tensor["dtype"] for tensor in interpreter.get_tensor_details()} <= whole
        (output,) = signature.get_output_details().values()
        assert (output["dtype"], output["shape"].tolist()) == (dtype, [1, 10])


def test_pixels_have_their_whole_range_even_if_calibration_is_dark(model, mnist, tmp_path):
    dark = mnist.train.inputs["x"][:50] // 4
    options = TFLiteOptions(calibration={"image": dark})
    for target, scale in ((Format.TFLITE_INT8, 1), (Format.TFLITE_INT16X8, 1 / 128)):
        path = export_tflite(model, tmp_path / target, target, options)
        detail = Interpreter(str(path)).get_input_details()[0]
        assert detail["quantization"][0] == scale


def test_labels_and_preprocessing_are_in_the_file(files):
    numbers = {
        Format.TFLITE: "as they are",
        Format.TFLITE_INT8: "minus 128",
        Format.TFLITE_UINT8: "as they are",
        Format.TFLITE_INT16X8: "times 128",
    }
    for target, rule in numbers.items():
        assert read_metadata(files[target]) == {
            "inputs": {"image": f"raw pixels 0..255 {rule}"},
            "labels": list(LABELS),
        }


def test_labels_too_long_for_the_file_are_counted(model, tmp_path):
    options = TFLiteOptions(labels=tuple(f"a rather long label {number}" for number in range(1000)))
    path = export_tflite(model, tmp_path / "model.tflite", Format.TFLITE, options)
    assert read_metadata(path)["labels_left_out"] == 1000
    assert b"a rather long label" not in path.read_bytes()


def test_weights_are_aligned_for_devices(files):
    for path in files.values():
        content = path.read_bytes()
        for buffer in TFLiteGraph(content).model.buffers:
            if buffer.data is not None and len(buffer.data) >= 64:
                assert content.index(buffer.data.tobytes()) % 16 == 0


def test_a_layer_kept_in_floats_is_alone_in_floats(model, options, files, answers, mnist, tmp_path):
    kept = TFLiteOptions(calibration=options.calibration, keep_float=("conv2",))
    for target in (Format.TFLITE_INT8, Format.TFLITE_UINT8, Format.TFLITE_FP16, Format.TFLITE_DYNAMIC):
        path = export_tflite(model, tmp_path / target, target, kept)
        interpreter = Interpreter(str(path))
        weights = {tuple(tensor["shape"]): tensor["dtype"] for tensor in interpreter.get_tensor_details()}
        assert weights[64, 3, 3, 32] is np.float32
        assert (weights[10, 1600] is np.int8) is (target is not Format.TFLITE_FP16)
        before = Interpreter(str(files[target])).get_input_details()[0]
        assert interpreter.get_input_details()[0]["dtype"] is before["dtype"]
        with TFLiteRunner(path, reference_kernels=FORMATS[target].integer) as runner:
            logits = runner.run({"image": mnist.test.inputs["x"][:50]})["logits"]
        assert abs(logits - answers["logits"][:50]).max() <= 0.05 * abs(answers["logits"]).max()


def test_an_unknown_layer_is_met_with_names_like_it(model, options, tmp_path):
    wrong = TFLiteOptions(calibration=options.calibration, keep_float=("conv_2",))
    with pytest.raises(SourceError, match=r"the model has no layer 'conv_2', but conv"):
        export_tflite(model, tmp_path / "model.tflite", Format.TFLITE_INT8, wrong)


def test_quantizers_are_found_by_name(monkeypatch):
    with pytest.raises(SourceError, match="no quantizer 'other': choose from tensorflow, litert"):
        export.converters.quantizers.find_quantizer("other")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(
        SourceError, match=r"litert is not installed: pip install 'keraport\[litert-quantizer\]'"
    ):
        export.converters.quantizers.find_quantizer("litert")


@pytest.mark.filterwarnings("ignore::UserWarning:litert_quantizer", "ignore::UserWarning:ai_edge_litert")
@pytest.mark.parametrize("target", [target for target in TFLITE if target is not Format.TFLITE])
def test_another_quantizer_can_be_tried(target, model, options, answers, mnist, tmp_path):
    pytest.importorskip("litert_quantizer")
    other = TFLiteOptions(calibration=options.calibration, quantizer="litert")
    path = export_tflite(model, tmp_path / "model.tflite", target, other)
    with TFLiteRunner(path, reference_kernels=FORMATS[target].integer) as runner:
        logits = runner.run({"image": mnist.test.inputs["x"][:300]})["logits"]
    assert (logits.argmax(1) != answers["logits"].argmax(1)).mean() <= 0.05


def test_formats_in_integers_need_samples(model, tmp_path):
    with pytest.raises(
        ConversionError, match="tflite-int8 needs samples to calibrate on: give --calibration"
    ):
        export_tflite(model, tmp_path / "model.tflite", Format.TFLITE_INT8, TFLiteOptions())


def test_a_free_dimension_without_samples_is_refused(tmp_path):
    image = keras.Input((None, None, 3), name="photo")
    free = keras.Model(image, keras.layers.Conv2D(4, 3)(image))
    with pytest.raises(ConversionError, match="input photo has free dimensions"):
        export_tflite(free, tmp_path / "model.tflite", Format.TFLITE, TFLiteOptions())


def test_sequences_too_long_to_write_out_are_refused(tmp_path):
    steps = keras.Input((1000, 2), name="steps")
    long = keras.Model(steps, keras.layers.GRU(4, name="memory")(steps))
    options = TFLiteOptions(calibration={"steps": np.zeros((2, 1000, 2), np.float32)})
    with pytest.raises(ConversionError, match="layer memory loops over 1000 steps"):
        export_tflite(long, tmp_path / "model.tflite", Format.TFLITE_INT8, options)
    assert not long.layers[-1].unroll


def test_a_full_disk_is_told_as_such(model, tmp_path, monkeypatch):
    def full(*_, **__):
        import tensorflow as tf

        raise tf.errors.ResourceExhaustedError(None, None, "/scratch/variables; No space left on device")

    monkeypatch.setattr("tensorflow.saved_model.save", full)
    with pytest.raises(OSError, match="No space left") as caught:
        export_tflite(model, tmp_path / "model.tflite", Format.TFLITE, TFLiteOptions())
    assert caught.value.errno == errno.ENOSPC


CONVERT_ALL = """
import sys
from pathlib import Path
import keras, numpy as np
from export.formats import FORMATS
from export.converters.to_tflite import TFLiteOptions, export_tflite
for source in sorted(Path(sys.argv[1]).glob("*.keras")):
    model = keras.models.load_model(source, compile=False)
    kinds = {tensor.name: (tensor.shape[1:], tensor.dtype) for tensor in model.inputs}
    random = np.random.default_rng(0)
    samples = {
        name: random.integers(0, 20, (9, *shape)).astype(dtype) for name, (shape, dtype) in kinds.items()
    }
    for target in FORMATS:
        if target.startswith("tflite") and (source.stem, target) != ("attention", "tflite-int16x8"):
            options = TFLiteOptions(calibration=samples, labels=("a", "b"))
            export_tflite(model, Path(sys.argv[2]) / f"{source.stem}.{target}", target, options)
"""


@pytest.mark.slow
def test_the_same_checkpoint_gives_the_same_bytes_in_every_process(model, tmp_path):
    model.save(tmp_path / "default.keras")
    steps = keras.Input((4, 3), name="steps")
    recurrent = keras.layers.Bidirectional(keras.layers.LSTM(4))(steps)
    keras.Model(steps, keras.layers.Dense(2)(recurrent)).save(tmp_path / "recurrent.keras")
    tokens = keras.Input((6,), dtype="int32", name="tokens")
    tensor = keras.layers.Embedding(20, 8)(tokens)
    tensor = keras.layers.LayerNormalization()(keras.layers.MultiHeadAttention(2, 4)(tensor, tensor))
    keras.Model(tokens, keras.layers.Dense(3)(tensor)).save(tmp_path / "attention.keras")
    for seed in ("1", "2"):
        (tmp_path / seed).mkdir()
        subprocess.run(
            [sys.executable, "-c", CONVERT_ALL, tmp_path, tmp_path / seed],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "PYTHONHASHSEED": seed,
                "TMPDIR": str(tmp_path / seed),
            },
            check=True,
            capture_output=True,
        )
    names = sorted(path.name for path in (tmp_path / "1").iterdir() if path.is_file())
    assert len(names) == 17
    for name in names:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name
