"""A C compiler, and versions of any model's int8 file."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import keras
import pytest

from export.converters.to_tflite import TFLiteOptions, export_tflite
from export.formats import Format
from export.manifest import (
    SCHEMA_VERSION,
    Artifact,
    DataInfo,
    Manifest,
    Source,
    TensorInfo,
    content_sha256,
    datatype_name,
    write_manifest,
)
from export.verdict import Verdict

Compile = Callable[..., subprocess.CompletedProcess[str]]

STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror")


@pytest.fixture
def run_c(tmp_path) -> Compile:
    """Compile a program strictly with the machine's compiler, and run it."""

    def run(source: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        (tmp_path / "program.c").write_text(source)
        program = tmp_path / "program"
        command = ["cc", *STRICT, tmp_path / "program.c", *map(str, arguments), "-o", program]
        subprocess.run(command, check=True)
        return subprocess.run([program], capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def digits(keraport, published, tmp_path_factory) -> Path:
    """A kit of the session's version whose names begin with digits, made in the folder that one is in."""
    folder = tmp_path_factory.mktemp("prefix") / "digits"
    folder.mkdir()
    options = ("--out", ".", "--prefix", "digits", "--data", "mnist", "--samples", 10)
    result = keraport("edge", published, *options, cwd=folder)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="session")
def publish_int8(zoo) -> Callable[..., Path]:
    """Publish a version of any Keras model's int8 file, as one that has passed; all else is left out."""

    def publish(folder: Path, model: keras.Model, *, labels: str = "") -> Path:
        folder.mkdir(parents=True)
        path = folder / "model.int8.tflite"
        options = TFLiteOptions(calibration=zoo.feed(model, 100), labels=tuple(labels))
        export_tflite(model, path, Format.TFLITE_INT8, options)
        artifact = Artifact(
            format=Format.TFLITE_INT8,
            precision="int8",
            path=path.name,
            bytes=path.stat().st_size,
            sha256=content_sha256(path),
            verdict=Verdict.PASS,
            reason="taken for granted",
        )
        (given,) = model.inputs
        info = TensorInfo(
            name=given.name,
            datatype=datatype_name(given.dtype),
            shape=(-1, *given.shape[1:]),
            meaning="a test's",
        )
        manifest = Manifest(
            schema_version=SCHEMA_VERSION,
            model=folder.parent.name,
            version=int(folder.name),
            created="2026-01-01T00:00:00Z",
            source=Source(checkpoint_sha256="0" * 64, run=None),
            dataset=DataInfo(name="none", sha256="0" * 64, samples=0),
            inputs=(info,),
            outputs=(),
            labels=tuple(labels),
            artifacts=(artifact,),
            packages={},
            cpu_flags=(),
        )
        write_manifest(manifest, folder)
        return folder

    return publish
