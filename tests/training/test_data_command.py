"""`keraport data show` as its users run it."""

import json
import re

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def flowers(tmp_path):
    """A folder of images with two classes: 30 dark ones, 120 light ones, and one of them twice."""
    generator = np.random.default_rng(0)
    for label, count, base in (("dark $x^", 30, 0), ("light [b]", 120, 150)):
        (tmp_path / "flowers" / label).mkdir(parents=True)
        for index in range(count):
            pixels = generator.integers(base, base + 100, (12, 16, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "flowers" / label / f"{index}.png")
    return tmp_path / "flowers"


def test_a_folder_is_shown_and_drawn(keraport, flowers, tmp_path):
    result = keraport("data", "show", flowers, "--out", tmp_path / "out.png", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert f"{flowers}: classification" in lines[0]
    assert "train 120 x uint8 12 x 16 x 3 0 to 249" in lines
    assert "test 30 target y int64 one number 0 to 1" in lines
    assert "dark $x^ 24 20.0% 6 20.0%" in lines
    assert "light [b] 96 80.0% 24 80.0%" in lines
    assert "warning: the test split has 30 samples, too few to measure a model well: 100 are a start" in lines
    assert lines[-1] == f"gallery: {tmp_path / 'out.png'}"
    with Image.open(tmp_path / "out.png") as gallery:
        assert (gallery.format, gallery.width > gallery.height) == ("PNG", True)
        assert len(np.unique(np.asarray(gallery.convert("L")))) > 100


def test_json_is_one_document(keraport, flowers, tmp_path):
    options = ("--image-size", "6x8", "--grey", "--test-share", 0.5, "--json")
    result = keraport("data", "show", flowers, *options, cwd=tmp_path)
    shown = json.loads(result.stdout)
    assert shown["splits"]["train"]["inputs"]["x"]["shape"] == [6, 8, 1]
    assert shown["splits"]["test"]["counts"] == {"y": {"dark $x^": 15, "light [b]": 60}}
    assert shown["targets"] == {"y": {"task": "classification", "labels": ["dark $x^", "light [b]"]}}
    assert shown["gallery"] == "gallery.png"
    assert len(shown["warnings"]) == 2
    assert (tmp_path / "gallery.png").exists()


def test_numbers_get_no_gallery(keraport, tmp_path):
    generator = np.random.default_rng(0)
    arrays = {name: generator.normal(size=(200, 3)) for name in ("x_train", "y_train", "x_test", "y_test")}
    np.savez(tmp_path / "data.npz", **arrays)
    result = keraport("data", "show", "data.npz", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1] == "no gallery: the inputs are no images"
    assert "regression" in result.stdout
    assert not (tmp_path / "gallery.png").exists()
    assert json.loads(keraport("data", "show", "data.npz", "--json", cwd=tmp_path).stdout)["gallery"] is None


def test_pictures_of_floats_with_values_are_drawn(keraport, tmp_path):
    generator = np.random.default_rng(0)
    arrays = {f"x_{split}": generator.normal(size=(120, 9, 9, 1)) for split in ("train", "test")}
    arrays |= {f"y_{split}": generator.normal(size=120) for split in ("train", "test")}
    np.savez(tmp_path / "data.npz", **arrays)
    result = keraport("data", "show", "data.npz", cwd=tmp_path)
    assert result.stdout.splitlines()[-1] == "gallery: gallery.png"
    with Image.open(tmp_path / "gallery.png") as gallery:
        gallery.verify()


@pytest.fixture
def several(tmp_path):
    """120 pictures a split with three outputs: a kind, an age, and tags, of which one in three is `ripe`."""
    generator = np.random.default_rng(0)
    arrays = {"labels/tags": np.array(["ripe", "raw"])}
    for split in ("train", "test"):
        arrays[f"x_{split}"] = generator.integers(0, 256, (120, 12, 12)).astype(np.uint8)
        arrays[f"y_{split}/kind"] = np.arange(120) % 4
        arrays[f"y_{split}/age"] = np.linspace(0, 9, 120)
        arrays[f"y_{split}/tags"] = np.stack([np.arange(120) % 3 == 0, np.arange(120) < 30], axis=1)
    np.savez(tmp_path / "several.npz", **arrays)
    return tmp_path / "several.npz"


def test_several_outputs_are_shown_with_the_share_of_each_label(keraport, several, tmp_path):
    result = keraport("data", "show", several, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert f"{several}: kind classification, age regression, tags multi-label" in lines[0]
    assert "train 120 target age float32 1 0 to 9" in lines
    assert "test 120 target tags uint8 2 0 to 1" in lines
    assert lines[lines.index("class of kind train share test share") + 1] == "0 30 25.0% 30 25.0%"
    assert lines[lines.index("label of tags train share test share") + 1] == "ripe 40 33.3% 40 33.3%"
    with Image.open(tmp_path / "gallery.png") as gallery:
        gallery.verify()
    shown = json.loads(keraport("data", "show", several, "--json", cwd=tmp_path).stdout)
    assert shown["splits"]["test"]["counts"]["tags"] == {"ripe": 40, "raw": 30}


def test_labels_cannot_steer_the_terminal(keraport, tmp_path):
    images, y = np.random.default_rng(0).integers(0, 256, (60, 8, 8)).astype(np.uint8), np.arange(60) % 3
    labels = np.array(["[red]a", "\x1b[31mb\n", "dög"])
    np.savez(tmp_path / "d.npz", x_train=images, y_train=y, x_test=images, y_test=y % 2, labels=labels)
    result = keraport("data", "show", "d.npz", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "\x1b" not in result.stdout
    assert re.findall(r"^\S+(?= +20)", result.stdout, re.MULTILINE) == ["[red]a", r"\x1b[31mb\n", "dög"]


def test_unlabelled_data_are_shown(keraport, tmp_path):
    np.savez(tmp_path / "data.npz", x_test=np.ones((120, 2)))
    result = keraport("data", "show", "data.npz", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert f"{tmp_path / 'data.npz'}: unlabelled" in result.stdout
    assert "warning: the data are unlabelled" in result.stdout


def test_data_that_cannot_train_are_shown_before_they_are_refused(keraport, tmp_path):
    y = np.repeat([0, 1], [119, 1])
    np.savez(tmp_path / "data.npz", x_train=np.zeros((120, 2)), y_train=y, x_test=np.ones((120, 2)), y_test=y)
    result = keraport("data", "show", "data.npz", cwd=tmp_path)
    assert result.returncode == 2
    assert "99.2%" in result.stdout
    assert "fewer than 2 training samples of 1" in result.stderr
    result = keraport("data", "show", "data.npz", "--json", cwd=tmp_path)
    assert (result.returncode, result.stdout, len(result.stderr.splitlines())) == (2, "", 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cifar",), "no data set 'cifar'"),
        (("mnist", "--image-size", "8"), "give HEIGHTxWIDTH in pixels, such as 64x64"),
        (("mnist", "--image-size", "8x-8"), "give HEIGHTxWIDTH"),
        (("mnist", "--test-share", "2"), "give one between 0 and 1"),
        (("mnist", "--task", "ranking"), "ranking"),
        (("mnist", "--out", "nowhere/gallery.png"), "give --out a file in a folder that exists"),
        (("mnist", "--out", "."), "give --out a file"),
    ],
)
def test_wrong_usage_says_what_to_do(keraport, tmp_path, arguments, message):
    result = keraport("data", "show", *arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
