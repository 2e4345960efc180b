"""The models that are served, published into a repository of the benchmark's own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving import networks
from benchmarks.serving.errors import BenchmarkError
from export.formats import Format
from export.manifest import (
    SCHEMA_VERSION,
    Artifact,
    Binding,
    DataInfo,
    Manifest,
    Source,
    TensorInfo,
    content_sha256,
    write_manifest,
)
from export.sessions import SessionSettings
from export.verdict import Verdict

ROOT = Path(__file__).resolve().parent.parent.parent
NO_HASH = "0" * 64
REASON = "random weights, for measurements of speed alone: nothing was compared"

# How long one image takes is a matter of the sides of the images.
SIDES: Mapping[str, int] = {"middle": 192, "large": 224}
BUILDERS = {"middle": networks.mobile_network, "large": networks.residual_network}
MODELS = ("default", *BUILDERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One that is served.

    Attributes:
        name: as requests carry it.
        repository: that it is published in.
        path: of the ONNX file.
        shape: of one image.
    """

    name: str
    repository: Path
    path: Path
    shape: tuple[int, int, int]


def prepare(name: str, cache: Path) -> Model:
    """A published model; made once, then found in the cache.

    Args:
        name: one of `MODELS`.
        cache: a folder that is kept between benchmarks.
    """
    repository = cache / "models" / name
    if not (repository / name / "1" / "manifest.json").exists():
        shutil.rmtree(repository, ignore_errors=True)  # what was begun and not ended
        if name == "default":
            _train(name, repository, cache / "run")
        else:
            _publish(name, repository)
    shape = (28, 28, 1) if name == "default" else (SIDES[name], SIDES[name], 3)
    return Model(name=name, repository=repository, path=repository / name / "1" / "model.onnx", shape=shape)


def _train(name: str, repository: Path, run: Path) -> None:
    """Train the default recipe for one epoch and export it."""
    shutil.rmtree(run, ignore_errors=True)
    _keraport("train", "--epochs", "1", "--out", str(run))
    _keraport("export", str(run), "--model", name, "--formats", "onnx", "--repository", str(repository))


def _keraport(*arguments: str) -> None:
    command = [sys.executable, "-m", "keraport", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"keraport {arguments[0]} failed: {done.stderr[-1000:]}")


def _publish(name: str, repository: Path) -> None:
    folder = repository / name / "1"
    folder.mkdir(parents=True)
    path = folder / "model.onnx"
    path.write_bytes(BUILDERS[name](SIDES[name]))
    digest = content_sha256(path)
    artifact = Artifact(
        format=Format.ONNX,
        precision="fp32",
        path=path.name,
        bytes=path.stat().st_size,
        sha256=digest,
        verdict=Verdict.PASS,
        reason=REASON,
        binding=Binding(artifact_sha256=digest, reference_sha256=NO_HASH, data_sha256=NO_HASH),
        session=SessionSettings(),
    )
    side = SIDES[name]
    image = TensorInfo(name="image", datatype="UINT8", shape=(-1, side, side, 3), meaning="raw pixels")
    scores = tuple(
        TensorInfo(name=each, datatype="FP32", shape=(-1, networks.CLASSES), meaning=each)
        for each in ("logits", "probabilities")
    )
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        model=name,
        version=1,
        created="2026-01-01T00:00:00Z",
        source=Source(checkpoint_sha256=NO_HASH, run=None),
        dataset=DataInfo(name="none", sha256=NO_HASH, samples=0),
        inputs=(image,),
        outputs=scores,
        labels=(),
        artifacts=(artifact,),
        packages={},
        cpu_flags=(),
    )
    write_manifest(manifest, folder)
