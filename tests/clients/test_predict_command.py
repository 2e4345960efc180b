"""`keraport predict` against a real server."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"


@pytest.fixture
def predict(keraport, digits_server):
    def predict(*arguments):
        return keraport("predict", *arguments, "--url", digits_server.url, timeout=60)

    return predict


def test_pictures_one_line_each(predict, classifier):
    files = sorted(SAMPLES.glob("*.png"))
    assert len(files) == 6
    result = predict(*files)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == [str(path) for path in files]
    for path, line in zip(files, lines, strict=True):
        assert ("(inverted)" in line) is ("dark-on-light" in path.name)
    pixels = np.asarray(Image.open(SAMPLES / "7.png"))
    probabilities = classifier.expected(pixels)["probabilities"][0]
    index = int(probabilities.argmax())
    seven = next(line for line in lines if "7.png" in line)
    assert seven.split()[1:] == ["abcdefghij"[index], f"{probabilities[index]:.1%}"]


def test_json_is_one_document(predict, tmp_path, images, classifier):
    np.save(tmp_path / "x.npy", np.tile(images, (30, 1, 1, 1)))  # more than one request may hold
    result = predict(tmp_path / "x.npy", SAMPLES / "3-dark-on-light.png", "--json", "--model", "digits")
    assert (result.returncode, result.stderr) == (0, "")
    document = json.loads(result.stdout)
    assert (document["model"], document["version"], len(document["predictions"])) == ("digits", "1", 151)
    expected = classifier.expected(images)["probabilities"]
    for position, prediction in enumerate(document["predictions"][:150]):
        row = expected[position % 5]
        assert prediction["sample"] == position
        assert prediction["class_index"] == row.argmax()
        assert prediction["probability"] == pytest.approx(row.max(), abs=1e-4)
    assert document["predictions"][150]["sample"] is None
    assert document["predictions"][150]["inverted"] is True


def test_inverting_is_the_users_choice(predict, tmp_path):
    path = tmp_path / "light.png"
    Image.fromarray(np.full((28, 28), 250, np.uint8)).save(path)
    for flags, inverted in (([], True), (["--invert"], True), (["--no-invert"], False)):
        document = json.loads(predict(path, "--json", *flags).stdout)
        assert document["predictions"][0]["inverted"] is inverted


def test_what_goes_wrong_is_one_line_and_exit_2(predict, keraport, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"broken")
    np.save(tmp_path / "wrong.npy", np.zeros((2, 3), np.uint8))
    fine = SAMPLES / "7.png"
    for result, message in (
        (predict(tmp_path / "broken.png"), "broken.png is no PNG or JPEG picture"),
        (predict(fine, tmp_path / "wrong.npy", "--json"), "shape [2, 3], the model takes [-1, 28, 28, 1]"),
        (predict(tmp_path / "none.png"), "none.png does not exist"),
        (predict(fine, "--model", "letters"), "no model 'letters' is loaded, but: digits"),
        (keraport("predict", fine, "--url", "127.0.0.1:1"), "start one with `keraport serve`"),
    ):
        assert (result.returncode, result.stdout) == (2, "")
        assert len(result.stderr.splitlines()) == 1
        assert message in result.stderr


def test_an_address_that_is_none(keraport):
    for url in ("", "127.0.0.1:70000", "http://127.0.0.1:8001"):
        result = keraport("predict", SAMPLES / "7.png", "--url", url)
        assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
        assert repr(url) in result.stderr
        assert ": give " in result.stderr


def test_files_of_any_name(digits_server, tmp_path):
    # What undecodable bytes of a name are to Python, and what would move the cursor or break the line.
    path = tmp_path / "a\udcff\x1b[2J\n\u202eb.png"
    shutil.copy(SAMPLES / "7.png", path)

    def predict(*arguments):
        command = [sys.executable, "-m", "keraport", "predict", *arguments, "--url", digits_server.url]
        return subprocess.run(command, capture_output=True, timeout=60, check=False)

    shown = r"a\xff\x1b[2J\n\u202eb.png"
    result = predict(path)
    assert (result.returncode, result.stderr) == (0, b"")
    assert len(result.stdout.splitlines()) == 1
    assert shown in result.stdout.decode()
    result = predict(path, "--json")
    assert (result.returncode, result.stderr) == (0, b"")
    file = json.loads(result.stdout)["predictions"][0]["file"]
    assert file == str(path).replace("\udcff", r"\xff")
    path.write_bytes(b"")
    result = predict(path)
    assert (result.returncode, result.stdout) == (2, b"")
    assert len(result.stderr.splitlines()) == 1
    assert f"{shown} is no PNG or JPEG" in result.stderr.decode()


def test_several_models_ask_for_one(keraport, tmp_path, publish_classifier, start_server):
    publish_classifier(tmp_path, "digits")
    publish_classifier(tmp_path, "letters")
    server = start_server(tmp_path)
    result = keraport("predict", SAMPLES / "7.png", "--url", server.url)
    assert result.returncode == 2
    assert "has 2 models (digits, letters): choose one with --model" in result.stderr
    assert keraport("predict", SAMPLES / "7.png", "--url", server.url, "--model", "letters").returncode == 0
