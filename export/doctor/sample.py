"""What `keraport doctor` works on: pictures of one bright quadrant; a model for machines that only serve."""

import base64
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.formats import FORMATS, Format
from export.manifest import (
    SCHEMA_VERSION,
    Artifact,
    DataInfo,
    Manifest,
    Source,
    TensorInfo,
    content_sha256,
    write_manifest,
)
from export.verdict import Verdict

MODEL = "doctor"
SIDE, CLASSES = 16, 4
TRAIN, TEST = 800, 4000  # with fewer test samples, even a perfect copy would be inconclusive
# Cast, Transpose, AveragePool of each quadrant as its logit, Flatten, Softmax: ONNX without any weights.
QUADRANTS = (
    "CAgSADq7AgoeCgVpbWFnZRIEcmVhbCIEQ2FzdCoJCgJ0bxgBoAECCiwKBHJlYWwSBnBsYW5lcyIJVHJhbnNwb3NlKhEKBHBlcm1AAEADQAFA"
    "AqABBwpFCgZwbGFuZXMSBW1lYW5zIgtBdmVyYWdlUG9vbCoVCgxrZXJuZWxfc2hhcGVACEAIoAEHKhAKB3N0cmlkZXNACEAIoAEHChgKBW1l"
    "YW5zEgZsb2dpdHMiB0ZsYXR0ZW4KIAoGbG9naXRzEg1wcm9iYWJpbGl0aWVzIgdTb2Z0bWF4EglxdWFkcmFudHNaIAoFaW1hZ2USFwoVCAIS"
    "EQoDEgFuCgIIEAoCCBAKAggBYhkKBmxvZ2l0cxIPCg0IARIJCgMSAW4KAggEYiAKDXByb2JhYmlsaXRpZXMSDwoNCAESCQoDEgFuCgIIBEIE"
    "CgAQEQ=="
)


def draw_pictures(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Grey pictures with one bright quadrant each, and its number.

    Returns:
        (count, 16, 16, 1) and (count,).
    """
    classes = np.arange(count) % CLASSES
    pictures = np.random.default_rng(seed).integers(0, 60, (count, SIDE, SIDE, 1))
    half = SIDE // 2
    for quadrant in range(CLASSES):
        top, left = half * (quadrant // 2), half * (quadrant % 2)
        pictures[classes == quadrant, top : top + half, left : left + half] += 150
    return pictures.astype(np.uint8), classes


def write_data(path: Path) -> None:
    """Write both splits as an `.npz` file."""
    (x_train, y_train), (x_test, y_test) = draw_pictures(TRAIN, 0), draw_pictures(TEST, 1)
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)


def write_version(repository: Path) -> None:
    """Put version 1 of a model into a repository that was made by hand, not trained, and says so."""
    folder = repository / MODEL / "1"
    folder.mkdir(parents=True)
    path = folder / FORMATS[Format.ONNX].path
    path.write_bytes(base64.b64decode(QUADRANTS))
    scores = TensorInfo(name="logits", datatype="FP32", shape=(-1, CLASSES), meaning="logits")
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        model=MODEL,
        version=1,
        created="",
        source=Source(checkpoint_sha256="", run=None),
        dataset=DataInfo(name="none", sha256="", samples=0),
        inputs=(TensorInfo(name="image", datatype="UINT8", shape=(-1, SIDE, SIDE, 1), meaning="pixels"),),
        outputs=(scores, replace(scores, name="probabilities", meaning="probabilities")),
        labels=tuple(map(str, range(CLASSES))),
        artifacts=(
            Artifact(
                format=Format.ONNX,
                precision="fp32",
                path=path.name,
                bytes=path.stat().st_size,
                sha256=content_sha256(path),
                verdict=Verdict.INCONCLUSIVE,
                reason="made by hand: there is no checkpoint to compare it with",
            ),
        ),
        packages={},
        cpu_flags=(),
    )
    write_manifest(manifest, folder)
