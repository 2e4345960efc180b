"""Contract 2: the manifest of a published version, read by serving, the edge kit and auditors."""

import hashlib
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import ml_dtypes
import msgspec
import numpy as np

from export.errors import ManifestError, first_line
from export.formats import Format
from export.latency import Latency
from export.sessions import SessionSettings
from export.verdict import Comparison, Verdict

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"
MAX_MANIFEST_BYTES = 16 * 1024 * 1024


# The Open Inference Protocol's datatypes. An array of BYTES holds objects, each `bytes` or `str`.
DATATYPES: Mapping[str, np.dtype[np.generic]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype(np.uint16),
    "UINT32": np.dtype(np.uint32),
    "UINT64": np.dtype(np.uint64),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "BYTES": np.dtype(np.object_),
}

# Not every runner of parity takes and gives these: such models are served, but not exported.
NOT_EXPORTED = ("BF16", "BYTES")


def datatype_name(dtype: str) -> str:
    """The Open Inference Protocol's name of a numpy type that can be exported, such as `FP32` of `float32`.

    Raises:
        ManifestError: there is none.
    """
    for name, known in DATATYPES.items():
        if known.name == dtype and name not in NOT_EXPORTED:
            return name
    raise ManifestError(f"a tensor of {dtype} cannot be exported: give it another dtype")


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorInfo:
    """One input or output of the model.

    Attributes:
        name: as requests carry it.
        datatype: the Open Inference Protocol's name, such as `UINT8`.
        shape: -1 for the batch and other free dimensions.
        meaning: `logits`, `probabilities`, or free text on what the values are.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the model comes from.

    Attributes:
        checkpoint_sha256: of the `.keras` file.
        run: name of the run directory; None for a bare `.keras` file.
        custom_sha256: of the Python file with layers of the user's own that was trusted and run.
    """

    checkpoint_sha256: str
    run: str | None
    custom_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataInfo:
    """The data on which parity was taken.

    Attributes:
        name: as `--data` names it.
        sha256: of the content.
        samples: compared.
    """

    name: str
    sha256: str
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """How the artifacts were made.

    Attributes:
        keep_float: layers that were left out of quantization.
        quantizer: the library that quantized TFLite files.
        calibration: the data whose training samples showed the ranges of activations; None without any.
    """

    keep_float: tuple[str, ...] = ()
    quantizer: str = "tensorflow"
    calibration: DataInfo | None = None

    @property
    def summary(self) -> str:
        """The same in one line."""
        data = self.calibration
        ranges = (
            f"calibrated on {data.samples:,} training samples of {data.name}" if data else "not calibrated"
        )
        kept = f"; in floats: {', '.join(self.keep_float)}" if self.keep_float else ""
        return f"by {self.quantizer}, {ranges}{kept}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """The exact bytes that a verdict speaks of."""

    artifact_sha256: str
    reference_sha256: str
    data_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One format of the model.

    Attributes:
        format: which.
        precision: of its weights.
        path: below the version's folder; None if it is not shipped.
        bytes: its size, the sum of all files for a folder.
        sha256: of the file, or of a folder by `content_sha256`.
        verdict: what parity says of it.
        reason: why, in one line.
        comparison: the numbers behind the verdict; None if it never ran.
        binding: the bytes that the verdict is bound to; None if it never ran.
        session: ONNX: the session settings that were checked.
        latency: on the CPU that exported it; None if it was not timed.
        log: the last lines of its converter, where that crashed or hung.
    """

    format: Format
    precision: str
    path: str | None
    bytes: int
    sha256: str | None
    verdict: Verdict
    reason: str
    comparison: Comparison | None = None
    binding: Binding | None = None
    session: SessionSettings | None = None
    latency: Latency | None = None
    log: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything that a reader of a published version may rely on."""

    schema_version: int
    model: str
    version: int
    created: str
    source: Source
    dataset: DataInfo
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    labels: tuple[str, ...]
    conversion: Conversion = Conversion()
    artifacts: tuple[Artifact, ...]
    packages: dict[str, str]
    cpu_flags: tuple[str, ...]

    def artifact(self, wanted: Format) -> Artifact:
        """The shipped artifact of a format.

        Raises:
            ManifestError: this version ships none.
        """
        for artifact in self.artifacts:
            if artifact.format == wanted and artifact.path is not None:
                return artifact
        shipped = ", ".join(a.format for a in self.artifacts if a.path) or "nothing"
        raise ManifestError(f"{self.model} version {self.version} ships no {wanted}, only: {shipped}")


def content_sha256(path: Path) -> str:
    """SHA-256 of a file; of a folder, over one line `<sha256>  <relative path>` a file, sorted by path."""
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
        lines = [f"{content_sha256(p)}  {p.relative_to(path).as_posix()}\n" for p in files]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def content_bytes(path: Path) -> int:
    """Size of a file, or of all files of a folder."""
    if path.is_dir():
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    return path.stat().st_size


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write `manifest.json` into a folder that nobody reads yet."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    (folder / MANIFEST_NAME).write_bytes(text + b"\n")


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of a published version; the artifacts' bytes are `verify_artifact`'s.

    Raises:
        ManifestError: missing, malformed, no plain file, too large, of an unknown schema, or with a path that
            leaves the folder.
    """
    path = folder / MANIFEST_NAME
    try:
        content = _read_small_file(path)
        schema = msgspec.json.decode(content, type=dict[str, object]).get("schema_version")
        if schema != SCHEMA_VERSION:
            raise ManifestError(
                f"{path} has schema_version {str(schema)[:100]}, this keraport reads {SCHEMA_VERSION}: "
                "export it again"
            )
        manifest = msgspec.json.decode(content, type=Manifest)
    except OSError as error:
        raise ManifestError(f"{path} cannot be read ({error.strerror}): name a published version") from error
    # Beside its own errors, msgspec lets through those of what is nested too deeply or is no UTF-8.
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ManifestError(f"{path} is no manifest ({first_line(error)}): export the model again") from error
    for artifact in manifest.artifacts:
        if artifact.path is not None and not _stays_inside(artifact.path):
            raise ManifestError(f"{path} names a path outside its folder: {artifact.path[:100]!r}")
    return manifest


def _read_small_file(path: Path) -> bytes:
    """The content of a plain file, for a pipe could be read without end."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ManifestError(f"{path} is no plain file: export the model again")
    if status.st_size > MAX_MANIFEST_BYTES:
        raise ManifestError(
            f"{path} has {status.st_size:,} bytes, over {MAX_MANIFEST_BYTES:,}: export the model again"
        )
    return path.read_bytes()


def _stays_inside(path: str) -> bool:
    parts = PurePosixPath(path)
    return not parts.is_absolute() and ".." not in parts.parts and "\\" not in path and path != ""
