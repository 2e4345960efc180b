"""Parity of what is already there: a published version, or a single artifact, against a checkpoint."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from export.errors import SourceError
from export.formats import FORMATS, Format
from export.judge import judge
from export.manifest import MANIFEST_NAME, Artifact, Manifest, read_manifest, verify_artifact
from export.reference import Reference
from export.sessions import SessionSettings
from export.source import Checkpoint, find_checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is to be checked.

    Attributes:
        files: format, path and, for ONNX, the session settings of every artifact.
        manifest: of the version they belong to; None for a file on its own.
    """

    files: tuple[tuple[Format, Path, SessionSettings], ...]
    manifest: Manifest | None


def find_target(path: Path) -> Target:
    """Find the artifacts that a command line names.

    Args:
        path: a published version, a repository or model folder (the newest version is taken), or an artifact.

    Raises:
        SourceError: nothing there that could be checked.
        ManifestError: a version that is not what its manifest says.
    """
    version = path if (path / MANIFEST_NAME).is_file() else _newest_version(path)
    if version is not None:
        manifest = read_manifest(version)
        shipped = [artifact for artifact in manifest.artifacts if artifact.path is not None]
        return Target(
            files=tuple(
                (artifact.format, verify_artifact(version, artifact), artifact.session or SessionSettings())
                for artifact in shipped
            ),
            manifest=manifest,
        )
    if not path.exists():
        raise SourceError(f"there is no version or artifact {path}: export first, or check the path")
    beside = read_manifest(path.parent) if (path.parent / MANIFEST_NAME).is_file() else None
    return Target(files=((_format_of(path), path, SessionSettings()),), manifest=beside)


def find_own_checkpoint(target: Target, name: Path, runs: Path) -> Checkpoint:
    """The checkpoint that a published version was made from, in its run.

    Args:
        target: what is checked.
        name: as it was named, for messages.
        runs: the folder of runs.

    Raises:
        SourceError: the target names no run, or that run holds another checkpoint by now.
    """
    run = target.manifest.source.run if target.manifest else None
    if target.manifest is None or run is None or run != Path(run).name:
        raise SourceError(f"{name} does not say which run it comes from: add --reference")
    checkpoint = find_checkpoint(runs / run)
    if checkpoint.sha256 != target.manifest.source.checkpoint_sha256:
        raise SourceError(
            f"{checkpoint.path} is not the checkpoint that {name} was made from: name it with --reference"
        )
    return checkpoint


def check(target: Target, reference: Reference, margin_points: float | None) -> Iterator[Artifact]:
    """Give every artifact of a target a fresh verdict, one by one."""
    for kind, path, settings in target.files:
        yield judge(path, kind, reference, settings, margin_points)


def _newest_version(folder: Path) -> Path | None:
    """The newest version below a model's folder, or below the only model of a repository."""
    manifests = [*folder.glob(f"[0-9]*/{MANIFEST_NAME}"), *folder.glob(f"[!.]*/[0-9]*/{MANIFEST_NAME}")]
    models = {manifest.parent.parent for manifest in manifests}
    if len(models) > 1:
        names = ", ".join(sorted(str(model) for model in models))
        raise SourceError(f"{folder} holds several models: name one of {names}")
    versions = [manifest.parent for manifest in manifests if manifest.parent.name.isdecimal()]
    return max(versions, key=lambda version: int(version.name), default=None)


def _format_of(path: Path) -> Format:
    for kind, spec in FORMATS.items():
        if path.name == spec.path:
            return kind
    if path.suffix == ".onnx":
        return Format.ONNX
    known = ", ".join(spec.path for spec in FORMATS.values())
    raise SourceError(f"{path.name} does not tell its format: name it as a version does ({known})")
