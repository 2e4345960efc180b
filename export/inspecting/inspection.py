"""What `keraport inspect` finds: a published version, a run, or a model file, and whether they are intact."""

import importlib.util
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import assert_never

from export.check import newest_version
from export.errors import ExportError, SourceError
from export.formats import FORMATS, Family, Format
from export.inspecting.contents import Contents, Kind
from export.isolation import Workers
from export.latency import Latency
from export.manifest import (
    MANIFEST_NAME,
    Artifact,
    Manifest,
    content_bytes,
    content_sha256,
    read_manifest,
)
from export.verdict import Verdict
from training.record import CHECKPOINT_NAME, RECORD_NAME, RunRecord, newest_run, read_record

MAX_BYTES = 2 << 30  # of a file that is opened; flatbuffers and protobuf go no further
TIME_LIMIT_S = 120.0
AT_ONCE = 2
# What must be installed to open a kind of file.
NEEDS = {Kind.ONNX: "onnx", Kind.TFLITE: "ai_edge_litert", Kind.SAVED_MODEL: "tensorflow"}
SUFFIXES = {f".{kind}": kind for kind in (Kind.ONNX, Kind.TFLITE, Kind.KERAS)}


class State(StrEnum):
    """Whether a file is what its manifest or run record says."""

    INTACT = "intact"
    CHANGED = "changed"
    MISSING = "missing"
    UNBOUND = "unbound"
    NOT_SHIPPED = "not shipped"
    UNKNOWN = "unknown"

    @property
    def broken(self) -> bool:
        """Whether nobody should use the file."""
        return self in (State.CHANGED, State.MISSING, State.UNBOUND)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileInspection:
    """One model file or SavedModel.

    Attributes:
        path: of it; None if it is not shipped.
        format: as its version says; None for a file on its own.
        bytes: its size now.
        sha256: of its content now; None if there is none.
        state: `intact`; `changed`, another SHA-256 than recorded; `missing`; `unbound`, its verdict speaks of
            other bytes; `not shipped`; `unknown`, for nothing says what it should be.
        verdict, reason: of parity; None where nothing tells.
        latency: as measured where it was exported.
        contents: what it holds; None if that cannot be read.
        problem: why not.
    """

    path: str | None
    format: Format | None = None
    bytes: int = 0
    sha256: str | None = None
    state: State = State.UNKNOWN
    verdict: Verdict | None = None
    reason: str | None = None
    latency: Latency | None = None
    contents: Contents | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What there is at a path.

    Attributes:
        target: the path; of a folder of versions or runs the newest one's.
        files: the model files there, the manifest's order.
        manifest: of the version, or of the one that a single file belongs to; its artifacts are in `files`.
        run: the record, if the target is a run.
    """

    target: str
    files: tuple[FileInspection, ...]
    manifest: Manifest | None = None
    run: RunRecord | None = None

    @property
    def broken(self) -> bool:
        """Whether a file is not what was published or recorded."""
        return any(file.state.broken for file in self.files)


def inspect_target(target: Path, *, time_limit_s: float = TIME_LIMIT_S) -> Inspection:
    """Look at a version, a folder of them, a run, a folder of those, or a model file.

    Args:
        target: its path.
        time_limit_s: for each file.

    Raises:
        SourceError: there is nothing of the kind, or a single file cannot be read.
        ManifestError: a version without a manifest that can be read.
        RecordError: a run without a record that can be read.
        ModuleNotFoundError: what opens this kind of single file is not installed.
    """
    with (
        tempfile.TemporaryDirectory(prefix="keraport-") as scratch,
        Workers(Path(scratch), time_limit_s=time_limit_s) as workers,
    ):
        kind = _kind(target)
        if kind is Kind.KERAS and target.name == CHECKPOINT_NAME and (target.parent / RECORD_NAME).is_file():
            return _run(target.parent, workers)
        if kind is not None:
            return _single(target, kind, workers)
        version = target if (target / MANIFEST_NAME).is_file() else None
        if version is None and target.is_dir() and not (target / RECORD_NAME).is_file():
            version = newest_version(target)
        if version is not None:
            return _version(version, workers)
        if target.is_dir() and ((target / RECORD_NAME).is_file() or any(target.glob(f"*/{RECORD_NAME}"))):
            return _run(target if (target / RECORD_NAME).is_file() else newest_run(target), workers)
    what = "holds no version and no run" if target.is_dir() else "is no model file"
    known = ", ".join(SUFFIXES)
    raise SourceError(
        f"{target} {what if target.exists() else 'does not exist'}: "
        f"name a version, a run, a SavedModel or a file in {known}"
    )


def _kind(path: Path) -> Kind | None:
    if (path / "saved_model.pb").is_file():
        return Kind.SAVED_MODEL
    return SUFFIXES.get(path.suffix.lower()) if path.is_file() else None


def _version(folder: Path, workers: Workers) -> Inspection:
    manifest = read_manifest(folder)

    def look(artifact: Artifact) -> FileInspection:
        return _artifact(folder, artifact, workers)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return Inspection(
            target=str(folder), manifest=manifest, files=tuple(pool.map(look, manifest.artifacts))
        )


def _artifact(folder: Path, artifact: Artifact, workers: Workers) -> FileInspection:
    known = FileInspection(
        path=None,
        format=artifact.format,
        state=State.NOT_SHIPPED,
        verdict=artifact.verdict,
        reason=artifact.reason,
        latency=artifact.latency,
    )
    if artifact.path is None:
        return known
    path, kind = folder / artifact.path, _kind_of_format(artifact.format)
    if not (path.is_dir() if kind is Kind.SAVED_MODEL else path.is_file()):
        return replace(known, path=str(path), state=State.MISSING)
    found = replace(_look(path, kind, artifact.sha256, workers), format=artifact.format)
    bound = artifact.binding is not None and artifact.binding.artifact_sha256 == artifact.sha256
    state = State.UNBOUND if found.state is State.INTACT and not bound else found.state
    return replace(found, state=state, verdict=known.verdict, reason=known.reason, latency=known.latency)


def _run(folder: Path, workers: Workers) -> Inspection:
    record = read_record(folder)
    path, recorded = folder / CHECKPOINT_NAME, record.checkpoint_sha256  # none while the run goes on
    if path.is_file():
        file = _look(path, Kind.KERAS, recorded, workers)
    else:
        file = FileInspection(path=str(path), state=State.MISSING if recorded else State.NOT_SHIPPED)
    return Inspection(target=str(folder), run=record, files=(file,))


def _look(path: Path, kind: Kind, recorded: str | None, workers: Workers) -> FileInspection:
    """A file, what it holds, and whether it has the SHA-256 that is recorded of it."""
    sha256 = content_sha256(path)
    state = {None: State.UNKNOWN, sha256: State.INTACT}.get(recorded, State.CHANGED)
    contents, problem = _try(path, kind, workers)
    return FileInspection(
        path=str(path),
        bytes=content_bytes(path),
        sha256=sha256,
        state=state,
        contents=contents,
        problem=problem,
    )


def _single(path: Path, kind: Kind, workers: Workers) -> Inspection:
    """A file by its own path, and what the manifest beside it says of it."""
    if (path.parent / MANIFEST_NAME).is_file():
        manifest = read_manifest(path.parent)
        for artifact in manifest.artifacts:
            if artifact.path == path.name:
                file = _artifact(path.parent, artifact, workers)
                return Inspection(target=str(path), manifest=manifest, files=(file,))
    contents = _open(path, kind, workers)
    file = FileInspection(
        path=str(path), bytes=content_bytes(path), sha256=content_sha256(path), contents=contents
    )
    return Inspection(target=str(path), files=(file,))


def _try(path: Path, kind: Kind, workers: Workers) -> tuple[Contents | None, str | None]:
    """What a file holds, or why that cannot be read; a version's other files are still shown."""
    try:
        return _open(path, kind, workers), None
    except ModuleNotFoundError as error:
        return None, f"to look inside, pip install 'keraport[export]' ({error.name} is missing)"
    except ExportError as error:
        return None, str(error)


def _open(path: Path, kind: Kind, workers: Workers) -> Contents:
    opened = path / "saved_model.pb" if kind is Kind.SAVED_MODEL else path
    size = opened.stat().st_size
    if size > MAX_BYTES:
        raise SourceError(f"{opened} has {size:,} bytes, over {MAX_BYTES:,}: it is not opened")
    needed = NEEDS.get(kind)
    if needed is not None and importlib.util.find_spec(needed) is None:
        raise ModuleNotFoundError(f"No module named {needed!r}", name=needed)
    return workers.call(_reader(kind), path)


def _reader(kind: Kind) -> Callable[[Path], Contents]:
    match kind:
        case Kind.ONNX:
            from export.inspecting.onnx_file import inspect_onnx

            return inspect_onnx
        case Kind.TFLITE:
            from export.inspecting.tflite_file import inspect_tflite

            return inspect_tflite
        case Kind.SAVED_MODEL:
            from export.inspecting.saved_model_folder import inspect_saved_model

            return inspect_saved_model
        case Kind.KERAS:
            from export.inspecting.keras_file import inspect_keras

            return inspect_keras
        case _:
            assert_never(kind)


def _kind_of_format(name: Format) -> Kind:
    match FORMATS[name].family:
        case Family.SAVED_MODEL:
            return Kind.SAVED_MODEL
        case Family.ONNX:
            return Kind.ONNX
        case Family.TFLITE:
            return Kind.TFLITE
        case family:
            assert_never(family)
