"""`--report` and `--junit` of the commands, on a small model of one's own."""

from xml.etree import ElementTree as ET

import keras
import numpy as np
import pytest


@pytest.fixture(scope="module")
def species(tmp_path_factory):
    """A folder with `species.keras`, and `species.npz` without training samples to calibrate on."""
    folder = tmp_path_factory.mktemp("species")
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8,), name="features"), keras.layers.Dense(3, name="scores")])
    model.save(folder / "species.keras")
    samples = np.random.default_rng(0).normal(0, 1, (3000, 8)).astype(np.float32)
    labels = model.predict(samples, verbose=0).argmax(axis=1)
    np.savez(folder / "species.npz", x_test=samples, y_test=labels, labels=np.array(["<i>a", "b", "c"]))
    return folder


def test_what_is_not_published_leaves_a_report_where_it_is_asked_for(keraport, species, tmp_path):
    result = keraport(
        "export",
        species / "species.keras",
        "--data",
        species / "species.npz",
        "--formats",
        "tflite-int8",
        "--repository",
        tmp_path / "models",
        "--report",
        tmp_path / "report.html",
        "--junit",
        tmp_path / "junit.xml",
    )
    assert result.returncode == 1, result.stderr
    assert not (tmp_path / "models").exists()
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "Nothing was published: tflite-int8 is required and did not pass." in page
    assert "needs training samples to calibrate on" in page
    cases = ET.parse(tmp_path / "junit.xml").getroot().iter("testcase")  # noqa: S314  (written here)
    assert {case.get("name"): case.find("failure") is None for case in cases} == {
        "onnx": True,
        "tflite-int8": False,
    }


def test_a_version_carries_its_report_and_a_check_writes_its_own(keraport, species, tmp_path):
    data = ("--data", species / "species.npz")
    result = keraport(
        "export", species / "species.keras", *data, "--formats", "onnx", "--repository", tmp_path / "models"
    )
    assert result.returncode == 0, result.stderr
    version = tmp_path / "models" / "species" / "1"
    assert "Published as version 1." in (version / "report.html").read_text("utf-8")
    assert (version / "report.json").is_file()
    result = keraport(
        "parity",
        version,
        *data,
        "--reference",
        species / "species.keras",
        "--report",
        tmp_path / "check.html",
        "--junit",
        tmp_path / "check.xml",
    )
    assert result.returncode == 0, result.stderr
    assert "32 →" in result.stdout
    page = (tmp_path / "check.html").read_text("utf-8")
    assert "A check of what was there" in page
    assert "Size and latency" in page
    assert ET.parse(tmp_path / "check.xml").getroot().get("failures") == "0"  # noqa: S314  (written here)
