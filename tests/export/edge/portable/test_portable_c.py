"""The C without a runtime: the same bytes, under limits, and a verify that cannot be fooled."""

import json
import os
import re
import shutil
import subprocess

import keras
import numpy as np
import pytest
from keras import layers

from export.edge.portable.code_size import measure_code
from export.edge.reference_kernels import ReferenceKernels
from training.datasets import load_dataset

FLASH, RAM = 40 * 1024, 28 * 1024
SAME = (
    "preprocessing: 0 of 54880 input bytes differ",
    "inference: 0 of 700 output bytes differ",
    "classes: 0 of 70 classes differ",
)

# What people write in place of `pixel - 128`, by the names that a kit's README gives them, and more.
MISTAKES = {
    "raw bytes copied, read as int8": "(int8_t)pixels[i]",
    "zero point forgotten: the pixel itself, at most 127": "(int8_t)(pixels[i] > 127 ? 127 : pixels[i])",
    "scaled to 0..1, then cut to int8": "(int8_t)(pixels[i] / 255.0f)",
    "scaled to 0..1, rounded, then minus 128": "(int8_t)((int)(pixels[i] / 255.0f + 0.5f) - 128)",
    "dark and light swapped": "(int8_t)(127 - pixels[i])",
    "rows and columns swapped": "(int8_t)(pixels[(i % 28) * 28 + i / 28] - 128)",
    "upside down": "(int8_t)(pixels[(27 - i / 28) * 28 + i % 28] - 128)",
}

PREPROCESS = """
#include "preprocess.h"
void model_input_from_pixels(const uint8_t *pixels, int8_t *input) {
    int i;
    for (i = 0; i < 784; ++i) input[i] = %s;
}
"""


def verify(kit, *variables):
    """What `make verify && ./verify` prints, and its exit code."""
    made = subprocess.run(
        ["make", "-C", kit, "verify", *variables], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr
    run = subprocess.run([kit / "verify"], capture_output=True, text=True, check=False)
    return run.returncode, run.stdout


@pytest.fixture
def copy(kit, tmp_path):
    return shutil.copytree(kit, tmp_path / "kit")


def test_no_byte_differs_on_this_machine(copy):
    code, said = verify(copy)
    assert code == 0
    assert all(line in said for line in SAME)


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_in_preprocessing_is_found(copy, tmp_path, mistake):
    mine = tmp_path / "mine.c"
    mine.write_text(PREPROCESS % mistake)
    code, said = verify(copy, f"PREPROCESS={mine}")
    assert code == 1
    assert SAME[0] not in said
    assert SAME[1] in said


def test_every_mistake_that_a_kit_names_is_planted(made_kit):
    _, said = made_kit
    right, *mistakes = (each["what"] for each in said["mistakes"])
    assert right == "pixel - 128"
    assert {*mistakes} <= MISTAKES.keys()


def test_a_changed_weight_is_found(copy):
    source = (copy / "infer.c").read_text()
    start = source.index("bknn_model_constant_3[18432] = {")
    place = source.index("\n", start) + 1
    end = source.index(",", place)
    (copy / "infer.c").write_text(f"{source[:place]}    {-int(source[place:end]) or 99}{source[end:]}")
    code, said = verify(copy)
    assert code == 1
    assert SAME[0] in said
    assert SAME[1] not in said


def test_files_of_different_kits_do_not_compile_together(copy):
    settings = copy / "model_settings.h"
    settings.write_text(re.sub("MODEL_KIT_ID 0x.{8}", "MODEL_KIT_ID 0x00000000", settings.read_text()))
    made = subprocess.run(["make", "-C", copy, "verify"], capture_output=True, text=True, check=False)
    assert made.returncode != 0
    assert "come from different kits" in made.stderr


@pytest.mark.slow
def test_ten_thousand_images_through_the_c_differ_in_no_byte(kit, tmp_path):
    test = load_dataset("mnist").test.inputs["x"]
    kernels = ReferenceKernels(kit / "model_int8.tflite", tmp_path, time_limit_s=600)
    numbers = kernels.quantize(test)
    (tmp_path / "inputs").write_bytes(numbers.tobytes())
    shutil.copytree(kit, tmp_path / "kit")
    verify(tmp_path / "kit")
    program = tmp_path / "kit" / "verify"
    subprocess.run([program, tmp_path / "inputs", tmp_path / "outputs"], check=True)
    answers = np.fromfile(tmp_path / "outputs", np.int8).reshape(len(test), 10)
    np.testing.assert_array_equal(answers, kernels.run({"test": numbers})["test"])


def test_a_cross_compiler_that_does_not_work_is_passed_over(kit, tmp_path, monkeypatch):
    broken = tmp_path / "arm-none-eabi-gcc"
    broken.write_text("#!/bin/sh\necho stdint.h: no such file >&2\nexit 1\n")
    broken.chmod(0o755)
    (tmp_path / "arm-none-eabi-size").symlink_to("/bin/true")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    measured = measure_code(kit, tmp_path, time_limit_s=60)
    assert measured.target == "this machine"
    assert 34_826 < measured.flash_bytes <= FLASH


def test_flash_and_memory_stay_under_the_limits_without_heap_or_floats(made_kit, tmp_path):
    folder, said = made_kit
    command = ["cc", "-std=c99", "-Os", "-c", folder / "infer.c", "-o", tmp_path / "infer.o"]
    subprocess.run(command, check=True)
    sizes = subprocess.run(["size", tmp_path / "infer.o"], capture_output=True, text=True, check=True)
    text, data, bss = map(int, sizes.stdout.splitlines()[1].split()[:3])
    arena = said["portable"]["arena_bytes"]
    assert text + data <= FLASH
    assert data + bss + arena + 784 + 10 <= RAM
    asked = subprocess.run(["nm", "-u", tmp_path / "infer.o"], capture_output=True, text=True, check=True)
    assert not {"malloc", "calloc", "realloc", "free", "printf"} & set(asked.stdout.split())
    code = (folder / "infer.c").read_text()
    assert not re.search(r"\b(float|double)\b", re.sub(r"/\*.*?\*/", "", code, flags=re.DOTALL))


def dense():
    image = keras.Input((6, 5, 2), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255)(image)
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
    x = layers.Add()([layers.Conv2D(4, 1)(x), layers.Conv2D(4, 3, strides=1, padding="same")(x)])
    x = layers.AveragePooling2D(2)(x)
    return keras.Model(image, layers.Dense(3, name="logits")(layers.Flatten()(x)))


def averaged():
    image = keras.Input((9, 7, 1), dtype="uint8", name="image")
    x = layers.Conv2D(6, 3, activation="relu")(layers.Rescaling(1 / 255)(image))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(12, 3, padding="same")(x))
    return keras.Model(image, layers.Dense(3, name="logits")(x))


def linear():
    """A model that needs no working memory, and the least that TensorFlow Lite Micro takes."""
    values = keras.Input((30,), name="values")
    return keras.Model(values, layers.Dense(3, name="logits")(values))


def unknown():
    values = keras.Input((8,), name="values")
    x = layers.Multiply()([layers.Dense(6)(values), layers.Dense(6)(values)])
    return keras.Model(values, layers.Dense(3, activation="tanh", name="scores")(x))


def save_data(path, given, labels):
    np.savez(path, x_test=given, y_test=labels)
    return path


@pytest.mark.parametrize("build", [pytest.param(dense, marks=pytest.mark.slow), averaged])
def test_other_layers_answer_alike_to_the_last_bit(keraport, zoo, publish_int8, tmp_path, build):
    model = zoo.build(build)
    version = publish_int8(tmp_path / "other" / "1", model, labels="abc")
    images = zoo.feed(model, 3000)["image"]
    data = save_data(tmp_path / "data.npz", images, np.arange(3000) % 3)
    options = ("--out", tmp_path / "kit", "--data", data, "--samples", 3000)
    result = keraport("edge", version, *options)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "C without a runtime: 0 of 9,000 bytes differ on 3,000 samples" in result.stdout
    code, said = verify(tmp_path / "kit")
    assert code == 0, said
    assert "0 of 198 output bytes differ" in said
    assert "of 3960 input bytes differ" in said or "of 4158 input bytes differ" in said


def test_a_model_of_one_layer_gets_both_its_parts(keraport, zoo, publish_int8, tmp_path):
    model = zoo.build(linear)
    version = publish_int8(tmp_path / "linear" / "1", model, labels="abc")
    data = save_data(tmp_path / "data.npz", zoo.feed(model, 70)["values"], np.arange(70) % 3)
    result = keraport("edge", version, "--out", tmp_path / "kit", "--data", data, "--json")
    assert result.returncode == 0, result.stderr
    assert 0 < json.loads(result.stdout)["tflm"]["arena_minimum"] < 4096
    assert verify(tmp_path / "kit")[0] == 0


def test_a_model_with_an_operator_that_the_generator_lacks_gets_the_rest(
    keraport, zoo, publish_int8, tmp_path
):
    model = zoo.build(unknown)
    version = publish_int8(tmp_path / "tanh" / "1", model)
    values = zoo.feed(model, 70)["values"]
    data = save_data(tmp_path / "data.npz", values, values[:, :3])
    result = keraport("edge", version, "--out", tmp_path / "kit", "--data", data)
    assert result.returncode == 3, result.stdout + result.stderr
    assert "C without a runtime: left out" in result.stdout
    assert "among branches it takes no MUL\n" in result.stdout
    # Its kernel of tanh rounds otherwise than LiteRT's: nothing here may inherit a verdict.
    assert re.search("TensorFlow Lite Micro: [1-9][0-9]* of 210 bytes differ on 70 samples", result.stdout)
    assert "not proven" in result.stdout
    assert "resolver.AddTanh()" in (tmp_path / "kit" / "tflm" / "main.cc").read_text()
    assert not list((tmp_path / "kit").glob("infer.*"))
    assert "MODEL_TFLM_ARENA_BYTES" in (tmp_path / "kit" / "model_settings.h").read_text()
