"""`keraport parity --url`: a live server is held to a published version, row by row, without TensorFlow."""

import html
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from export.manifest import DataInfo, content_sha256, read_manifest, write_manifest
from training.datasets import load_dataset

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = 200


@pytest.fixture(scope="module")
def data(tmp_path_factory, classifier):
    """Two hundred pictures and what the classifier says of them."""
    pictures = np.random.default_rng(1).integers(0, 250, (SAMPLES, 28, 28, 1)).astype(np.uint8)
    path = tmp_path_factory.mktemp("data") / "pictures.npz"
    np.savez(path, x_test=pictures, y_test=classifier.expected(pictures)["logits"].argmax(axis=1))
    return path


@pytest.fixture(scope="module")
def version(tmp_path_factory, publish_classifier, data):
    """Version 1 of `digits`, whose manifest names these data."""
    folder = publish_classifier(tmp_path_factory.mktemp("right"))
    known = load_dataset(str(data))
    manifest = read_manifest(folder)
    info = DataInfo(name=known.source, sha256=known.sha256, samples=SAMPLES)
    write_manifest(replace(manifest, dataset=info), folder)
    return folder


def with_changed_weights(version, repository, change):
    """The same model and version in another repository, its weights changed and its manifest in order."""
    folder = repository / version.parent.name / version.name
    shutil.copytree(version, folder)
    path = folder / "model.onnx"
    model = onnx.load(path)
    weights = next(each for each in model.graph.initializer if numpy_helper.to_array(each).ndim == 2)
    values = numpy_helper.to_array(weights).copy()
    change(values)
    weights.CopyFrom(numpy_helper.from_array(values, weights.name))
    onnx.save(model, path)
    sha256 = content_sha256(path)
    manifest = read_manifest(folder)
    artifacts = tuple(
        replace(each, sha256=sha256, binding=replace(each.binding, artifact_sha256=sha256))
        for each in manifest.artifacts
        if each.path == "model.onnx"
    )
    write_manifest(replace(manifest, artifacts=artifacts), folder)
    return folder


def test_the_server_of_that_version_passes(keraport, version, start_server, tmp_path):
    server = start_server(version.parents[1])
    result = keraport("parity", version, "--url", server.url, "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert (document["verdict"], document["model"], document["version"]) == ("pass", "digits", 1)
    # The same file in the same session; only the batches differ, in which rows can differ by rounding.
    assert document["rows"]["compared"] == SAMPLES
    assert document["rows"]["beyond"] == 0
    assert document["reference_sha256"] == content_sha256(version / "model.onnx")
    shown = keraport("parity", version, "--url", server.url, cwd=tmp_path)
    assert shown.returncode == 0
    assert f"200 rows compared: {document['rows']['identical']} identical, 0 beyond" in shown.stdout
    assert f"parity: pass, every output is within its tolerance ({server.url}" in shown.stdout


def test_no_tensorflow_is_needed(version, start_server, tmp_path):
    for package in ("tensorflow", "keras"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("raise ImportError('not here')")
    server = start_server(version.parents[1])
    result = subprocess.run(
        [sys.executable, "-m", "keraport", "parity", version, "--url", server.url],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_a_server_with_other_weights_fails(keraport, version, start_server, tmp_path):
    def change(values):
        values[:, 3] *= 1.01

    with_changed_weights(version, tmp_path, change)
    server = start_server(tmp_path)
    copies = ("--report", tmp_path / "server.html", "--junit", tmp_path / "server.xml")
    result = keraport("parity", version, "--url", server.url, "--json", *copies)
    assert result.returncode == 1, result.stderr
    document = json.loads(result.stdout)
    assert document["verdict"] == "fail"
    assert document["reason"] in html.unescape((tmp_path / "server.html").read_text())
    assert '<failure message="' in (tmp_path / "server.xml").read_text()
    rows = document["rows"]
    assert (rows["identical"], rows["beyond"] > SAMPLES / 2) == (0, True)
    assert len(rows["first_beyond"]) == min(100, rows["beyond"])
    shown = keraport("parity", version, "--url", server.url)
    assert shown.returncode == 1
    assert "the first of them: 0, 1, 2" in shown.stdout


def test_a_single_wrong_weight_is_found(keraport, version, start_server, tmp_path, data):
    def change(values):
        values[400, 7] += 0.01

    with_changed_weights(version, tmp_path, change)
    server = start_server(tmp_path)
    result = keraport("parity", version, "--url", server.url, "--json")
    assert result.returncode == 1, result.stderr
    # 0.01 times the pixel moves logit 7 by more than the tolerance unless the pixel is almost black.
    pixels = np.load(data)["x_test"].reshape(SAMPLES, 784)[:, 400]
    output = json.loads(result.stdout)["comparison"]["outputs"]
    tolerance = {each["output"]: each["tolerance"] for each in output}["logits"]
    first = json.loads(result.stdout)["rows"]["first_beyond"]
    assert set(np.flatnonzero(pixels * 0.01 > 2 * tolerance)[:50]) <= set(first)


def test_the_data_are_found_or_asked_for(keraport, version, start_server, tmp_path, data):
    server = start_server(version.parents[1])
    copy = tmp_path / "digits" / "1"
    shutil.copytree(version, copy)
    manifest = read_manifest(copy)
    for info, message in (
        (replace(manifest.dataset, sha256="1" * 64), "is not what"),
        (replace(manifest.dataset, name=str(tmp_path / "gone.npz")), "cannot be loaded"),
    ):
        write_manifest(replace(manifest, dataset=info), copy)
        result = keraport("parity", copy, "--url", server.url)
        assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
        assert message in result.stderr
        assert "with --data" in result.stderr
        assert keraport("parity", copy, "--url", server.url, "--data", data).returncode == 0


def test_what_is_no_parity_at_all(keraport, version, start_server, publish_classifier, tmp_path):
    other = start_server(publish_classifier(tmp_path / "letters", "letters").parents[1])
    newer = start_server(publish_classifier(tmp_path / "newer", version=2).parents[1])
    bare = tmp_path / "model.onnx"
    shutil.copy(version / "model.onnx", bare)
    for target, url, message in (
        (version, "127.0.0.1:1", "start one with `keraport serve`"),
        (version, "nowhere", "is no address"),
        (version, other.url, "no model 'digits' is loaded, but: letters"),
        (version, newer.url, "serves digits version 2, not 1"),
        (bare, newer.url, "is no published version"),
        (tmp_path / "none", newer.url, "there is no version or artifact"),
    ):
        result = keraport("parity", target, "--url", url)
        assert (result.returncode, result.stdout) == (2, ""), result.stderr
        assert message in result.stderr.splitlines()[-1]
        assert "Traceback" not in result.stderr


def test_a_server_that_takes_something_else_fails(keraport, version, start_server, tmp_path):
    """The same name and version, but a model of smaller pictures."""
    folder = tmp_path / "digits" / "1"
    folder.mkdir(parents=True)
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Cast", ["image"], ["cast"], to=onnx.TensorProto.FLOAT),
            onnx.helper.make_node("Flatten", ["cast"], ["logits"]),
        ],
        "small",
        [value("image", onnx.TensorProto.UINT8, ["n", 2, 2, 1])],
        [value("logits", onnx.TensorProto.FLOAT, ["n", 4])],
    )
    path = folder / "model.onnx"
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), path
    )
    sha256 = content_sha256(path)
    manifest = read_manifest(version)
    (artifact,) = manifest.artifacts
    write_manifest(
        replace(
            manifest,
            labels=tuple("abcd"),
            inputs=(replace(manifest.inputs[0], shape=(-1, 2, 2, 1)),),
            outputs=(replace(manifest.outputs[0], shape=(-1, 4)),),
            artifacts=(
                replace(artifact, sha256=sha256, binding=replace(artifact.binding, artifact_sha256=sha256)),
            ),
        ),
        folder,
    )
    server = start_server(tmp_path)
    result = keraport("parity", version, "--url", server.url, "--json")
    assert result.returncode == 1, result.stderr
    document = json.loads(result.stdout)
    assert "it does not answer: 'image' came in shape" in document["reason"]
    assert document["rows"] is None


def test_a_real_version_held_to_its_checkpoint(keraport, workplace, published, run_directory, start_server):
    server = start_server(published.parents[1])
    for arguments in ((), ("--reference", run_directory)):
        result = keraport("parity", published, "--url", server.url, "--json", *arguments, cwd=workplace)
        assert result.returncode == 0, result.stderr
        document = json.loads(result.stdout)
        assert document["rows"]["compared"] == 10_000
        assert document["comparison"]["tier"] == "lossless"
