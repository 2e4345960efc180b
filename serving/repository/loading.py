"""From a published version to a session that has run."""

from pathlib import Path

from export.errors import ManifestError
from export.formats import Format
from export.manifest import Artifact, read_manifest, verify_artifact
from export.sessions import open_session
from export.verdict import Verdict
from serving.errors import ModelRefused
from serving.repository.checked_settings import session_settings
from serving.session import Session
from serving.settings import ModelSettings


def load_version(
    folder: Path, settings: ModelSettings, *, allow_unverified: bool = False
) -> tuple[Session, ...]:
    """Verify, open and warm up one published version.

    Returns:
        As many sessions as the settings say, at least one.

    Raises:
        ModelRefused: it is not what was published, was not shown to be the trained model, or does not run.
    """
    try:
        manifest = read_manifest(folder)
        if (manifest.model, str(manifest.version)) != (folder.parent.name, folder.name):
            raise ModelRefused(
                f"the folder holds {manifest.model} version {manifest.version}: give it its own name again"
            )
        artifact = manifest.artifact(Format.ONNX)
        path = verify_artifact(folder, artifact)
        if not allow_unverified:
            _require_pass(artifact)
        checked = session_settings(artifact.session, settings, allow_unverified=allow_unverified)
        sessions = tuple(Session(manifest, open_session(path, checked)) for _ in range(settings.sessions))
    except (ManifestError, OSError) as error:
        raise ModelRefused(str(error)) from error
    for session in sessions:
        session.warm_up(settings.max_batch_rows)
    return sessions


def _require_pass(artifact: Artifact) -> None:
    """Refuse an artifact unless these bytes passed under known settings; `verify_artifact` hashed them."""
    mend = "export it again, or serve it with --allow-unverified"
    if artifact.verdict != Verdict.PASS:
        raise ModelRefused(f"its verdict is {artifact.verdict} ({artifact.reason}): {mend}")
    if artifact.comparison is not None and artifact.comparison.verdict != artifact.verdict:
        raise ModelRefused(
            f"its verdict is {artifact.verdict}, that of its numbers {artifact.comparison.verdict}: {mend}"
        )
    if artifact.binding is None or artifact.binding.artifact_sha256 != artifact.sha256:
        raise ModelRefused(f"its verdict speaks of another file: {mend}")
