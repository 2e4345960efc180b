"""What a kit holds, where it goes, and what it refuses."""

import csv
import hashlib
import json
import shutil

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from tflite_micro import runtime

from export.converters.tflite_metadata import MOST_BYTES, read_metadata
from export.edge.folder import check_out
from export.edge.reference_kernels import ReferenceKernels
from export.errors import KitError
from training.datasets import load_dataset


def interpreter(path):
    opened = Interpreter(
        model_path=str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF, num_threads=1
    )
    opened.allocate_tensors()
    return opened


def test_the_models_are_the_published_bytes_with_their_labels(kit, published):
    for name, of in (
        ("int8", "model.int8.tflite"),
        ("uint8", "model.uint8.tflite"),
        ("fp32", "model.tflite"),
    ):
        path = kit / f"model_{name}.tflite"
        assert path.read_bytes() == (published / of).read_bytes()
        said = read_metadata(path)
        assert said["labels"] == list("0123456789")
        assert len(json.dumps(said, separators=(",", ":"))) <= MOST_BYTES
    assert (kit / "model_int8.tflite").stat().st_size <= 41_500


def test_the_record_names_every_file_by_its_digest(made_kit):
    folder, said = made_kit
    assert json.loads((folder / "kit.json").read_text()) == said
    there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    assert {file["path"] for file in said["files"]} == there.keys() - {"kit.json"}
    for file in said["files"]:
        content = there[file["path"]].read_bytes()
        assert (file["bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


def test_the_folder_that_one_is_in_can_become_a_kit(digits):
    assert (digits / "kit.json").is_file()
    assert [path.name for path in digits.parent.iterdir()] == ["digits"]


def test_a_kit_repeats_byte_by_byte_and_takes_the_place_of_an_untouched_one(
    keraport, kit, published, tmp_path
):
    again = tmp_path / "again"
    shutil.copytree(kit, again)
    result = keraport("edge", published, "--out", again, "--samples", 300, cwd=published.parents[2])
    assert result.returncode == 0, result.stderr
    assert "C without a runtime: 0 of 3,000 bytes differ on 300 samples" in result.stdout
    for path in kit.rglob("*"):
        assert path.is_dir() or (again / path.relative_to(kit)).read_bytes() == path.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["again"]


def spoil(out, kit, what):
    """Make of a place what no kit may take."""
    if what == "file":
        out.write_text("mine")
        return
    if what == "foreign":
        out.mkdir()
    else:
        shutil.copytree(kit, out)
    match what:
        case "foreign" | "added":
            (out / "firmware.c").write_text("mine")
        case "edited":
            (out / "model_settings.h").write_text("mine")
        case "record":
            (out / "kit.json").write_text((out / "kit.json").read_text() + "\n")
        case "below verify":
            (out / "verify").mkdir()
            (out / "verify" / "firmware.c").write_text("mine")
        case "link":
            (out / "elsewhere").symlink_to(out.parent)
        case "empty folder":
            (out / "build").mkdir()


@pytest.mark.parametrize(
    "what", ["foreign", "edited", "added", "file", "record", "below verify", "link", "empty folder"]
)
def test_what_is_no_untouched_kit_stays_as_it_is(kit, published, tmp_path, what):
    out = tmp_path / "out"
    spoil(out, kit, what)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(KitError, match="choose another --out"):
        check_out(out, published.parent)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_program_that_a_kit_makes_is_no_change(kit, published, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(kit, out)
    (out / "verify").write_bytes(b"a program")
    check_out(out, published.parent)


def test_what_is_refused_is_refused_before_the_work(keraport, published, tmp_path):
    (tmp_path / "firmware.c").write_text("mine")
    for out, told in (
        (tmp_path, "holds something else than a kit of this keraport: choose another --out"),
        (published / "kit", "is among the published versions of the model: choose another --out"),
        ("/proc", "is a mount point"),
    ):
        result = keraport("edge", published, "--out", out)
        assert result.returncode == 2
        assert told in result.stderr
        assert "running" not in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["firmware.c"]


def test_a_model_that_has_not_passed_gets_no_kit_and_the_old_kit_stays(keraport, kit, published, tmp_path):
    version, out = tmp_path / "mnist" / "1", tmp_path / "kit"
    shutil.copytree(published, version)
    shutil.copytree(kit, out)
    manifest = json.loads((version / "manifest.json").read_text())
    (int8,) = [row for row in manifest["artifacts"] if row["format"] == "tflite-int8"]
    int8 |= {"verdict": "inconclusive", "reason": "too few samples"}
    (version / "manifest.json").write_text(json.dumps(manifest))
    result = keraport("edge", version, "--out", out, "--data", "mnist")
    assert result.returncode == 2
    assert "is not proven (inconclusive: too few samples)" in result.stderr
    assert (out / "kit.json").read_bytes() == (kit / "kit.json").read_bytes()


@pytest.mark.parametrize(
    ("images", "first_class", "told"),
    [
        (np.zeros((70, 8, 8), np.uint8), 0, "are not of shape (28, 28, 1)"),
        (np.zeros((70, 784), np.uint8), 0, "are not of shape (28, 28, 1)"),
        (np.zeros((70, 28, 28), np.float32), 0, "are float32, and the model takes pixels of 0 to 255"),
        (np.zeros((63, 28, 28), np.uint8), 0, "has 63 test samples, a kit holds 64 golden vectors"),
        (np.zeros((70, 28, 28), np.uint8), 5, "has classes 5 to 14, and the model 10"),
    ],
)
def test_data_that_the_model_does_not_take_are_refused(
    keraport, published, tmp_path, images, first_class, told
):
    np.savez(tmp_path / "data.npz", x_test=images, y_test=np.arange(len(images)) % 10 + first_class)
    result = keraport("edge", published, "--out", tmp_path / "kit", "--data", tmp_path / "data.npz")
    assert result.returncode == 2
    assert told in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["data.npz"]


def test_the_golden_vectors_are_the_first_of_every_class_and_what_the_file_answers(kit):
    vectors, test = np.load(kit / "golden" / "golden.npz"), load_dataset("mnist").test
    first = [np.flatnonzero(test.y == label)[:7] for label in range(10)]
    assert vectors["index"].tolist() == np.sort(np.concatenate(first)).tolist()
    np.testing.assert_array_equal(vectors["raw"], test.inputs["x"][vectors["index"]])
    np.testing.assert_array_equal(vectors["label"], test.y[vectors["index"]])
    np.testing.assert_array_equal(vectors["input"], vectors["raw"].astype(np.int16) - 128)
    opened = interpreter(kit / "model_int8.tflite")
    for numbers, output, expected in zip(
        vectors["input"], vectors["output"], vectors["expected"], strict=True
    ):
        opened.set_tensor(opened.get_input_details()[0]["index"], numbers[np.newaxis])
        opened.invoke()
        answer = opened.get_tensor(opened.get_output_details()[0]["index"])[0]
        np.testing.assert_array_equal(answer, output)
        assert answer.argmax() == expected


def test_the_csv_says_the_same_as_the_arrays(kit):
    vectors = np.load(kit / "golden" / "golden.npz")
    with (kit / "golden" / "golden.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(vectors["index"]) >= 64
    for name in ("index", "label", "expected"):
        assert [int(row[name]) for row in rows] == vectors[name].tolist()
    for name, width in (("raw", 784), ("input", 784), ("output", 10)):
        found = [[int(row[f"{name}_{place}"]) for place in range(width)] for row in rows]
        np.testing.assert_array_equal(found, vectors[name].reshape(len(rows), width))


SETTINGS = """
#include <stdio.h>
#include "model_settings.h"
#include "model_data.h"
int main(void) {
    static const char *const labels[] = MODEL_LABELS;
    static const int shape[] = MODEL_INPUT_SHAPE;
    int i;
    printf("%.9g %d ", (double)MODEL_INPUT_SCALE, MODEL_INPUT_ZERO_POINT);
    printf("%.9g %d\\n", (double)MODEL_OUTPUT_SCALE, MODEL_OUTPUT_ZERO_POINT);
    for (i = 0; i < MODEL_INPUT_RANK; ++i) printf("%d ", shape[i]);
    printf("%d %d\\n", MODEL_INPUT_BYTES, MODEL_OUTPUT_BYTES);
    for (i = 0; i < MODEL_CLASSES; ++i) printf("%s ", labels[i]);
    printf("\\n%s %d\\n", MODEL_SHA256, (int)((size_t)model_data % 16));
    for (i = 0; i < MODEL_DATA_BYTES; ++i) printf("%02x", model_data[i]);
    return 0;
}
"""


def test_the_settings_and_the_array_are_the_files_own(kit, run_c):
    result = run_c(SETTINGS, f"-I{kit}", kit / "model_data.c")
    numbers, shape, labels, rest, data = result.stdout.splitlines()
    content = (kit / "model_int8.tflite").read_bytes()
    opened, scales = interpreter(kit / "model_int8.tflite"), numbers.split()
    given, answer = opened.get_input_details()[0], opened.get_output_details()[0]
    assert (np.float32(scales[0]), int(scales[1])) == given["quantization"]
    assert (np.float32(scales[2]), int(scales[3])) == answer["quantization"]
    assert shape == "1 28 28 1 784 10"
    assert labels.split() == list("0123456789")
    assert rest.split() == [hashlib.sha256(content).hexdigest(), "0"]
    assert bytes.fromhex(data) == content


def test_the_arena_is_enough_and_16_bytes_less_than_the_minimum_are_not(made_kit):
    folder, said = made_kit
    content = (folder / "model_int8.tflite").read_bytes()
    minimum = said["tflm"]["arena_minimum"]
    vectors = np.load(folder / "golden" / "golden.npz")
    opened = runtime.Interpreter.from_bytes(content, arena_size=minimum)
    for numbers, output in zip(vectors["input"], vectors["output"], strict=True):
        opened.set_input(numbers[np.newaxis], 0)
        opened.invoke()
        np.testing.assert_array_equal(opened.get_output(0)[0], output)
    with pytest.raises(RuntimeError):
        runtime.Interpreter.from_bytes(content, arena_size=minimum - 16)
    assert said["tflm"]["arena_bytes"] >= minimum + 1024


def test_the_accuracy_under_tensorflow_lite_micro_is_that_of_the_reference_kernels(kit, tmp_path):
    test = load_dataset("mnist").test
    kernels = ReferenceKernels(kit / "model_int8.tflite", tmp_path, time_limit_s=600)
    numbers = kernels.quantize(test.inputs["x"])
    opened = runtime.Interpreter.from_bytes((kit / "model_int8.tflite").read_bytes(), arena_size=1 << 16)
    found = np.empty(len(numbers), np.int64)
    for place in range(len(numbers)):
        opened.set_input(numbers[place : place + 1], 0)
        opened.invoke()
        found[place] = opened.get_output(0)[0].argmax()
    expected = kernels.run({"test": numbers})["test"].argmax(axis=1)
    assert (found == test.y).sum() == (expected == test.y).sum()
