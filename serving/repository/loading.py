"""From a published version to a session that has run."""

from pathlib import Path

from export.artifacts import held_artifact
from export.errors import ManifestError
from export.formats import Format
from export.manifest import MANIFEST_NAME, Artifact, read_manifest
from export.sessions import open_session
from export.verdict import Verdict
from serving.errors import ModelRefused
from serving.repository.checked_settings import session_settings
from serving.repository.layout import confined
from serving.session import Session
from serving.settings import ModelSettings

# A model whose full batch spares its rows a larger share of their time is better run alone, in large batches.
BATCH_GAIN = 0.3


def load_version(
    folder: Path, settings: ModelSettings, *, allow_unverified: bool = False, side_by_side: int = 1
) -> tuple[Session, ...]:
    """Verify, open and warm up one published version.

    Args:
        folder: of the version.
        settings: of the model.
        allow_unverified: take what was not shown to be the trained model.
        side_by_side: runs at the same time, where the settings leave it open and the model's batches gain
            little, so that a second one is better run than waited for.

    Returns:
        At least one session.

    Raises:
        ModelRefused: it is not what was published, was not shown to be the trained model, or does not run.
    """
    repository = folder.parent.parent
    try:
        confined(folder / MANIFEST_NAME, repository)
        manifest = read_manifest(folder)
        if (manifest.model, str(manifest.version)) != (folder.parent.name, folder.name):
            raise ModelRefused(
                f"the folder holds {manifest.model} version {manifest.version}: give it its own name again"
            )
        artifact = manifest.artifact(Format.ONNX)
        confined(folder / str(artifact.path), repository)
        if not allow_unverified:
            _require_pass(artifact)
        checked = session_settings(artifact.session, settings, allow_unverified=allow_unverified)
        with held_artifact(folder, artifact) as path:
            opened = open_session(path, checked, called=str(artifact.path))
    except (ManifestError, OSError) as error:
        # Clients read this in the repository's index: they need not know where on the disk it lies.
        raise ModelRefused(str(error).replace(f"{repository}/", "")) from error
    session = Session(manifest, opened)
    session.warm_up(settings)
    count = settings.sessions
    if count is None:
        alone = checked.intra_op_threads > 1 or session.pace.gain > BATCH_GAIN
        count = 1 if alone else side_by_side
    return (session, *(session.beside() for _ in range(count - 1)))


def _require_pass(artifact: Artifact) -> None:
    """Refuse an artifact unless these bytes passed under known settings; `held_artifact` hashes them."""
    mend = "export it again, or serve it with --allow-unverified"
    if artifact.verdict != Verdict.PASS:
        raise ModelRefused(f"its verdict is {artifact.verdict} ({artifact.reason}): {mend}")
    if artifact.comparison is not None and artifact.comparison.verdict != artifact.verdict:
        raise ModelRefused(
            f"its verdict is {artifact.verdict}, that of its numbers {artifact.comparison.verdict}: {mend}"
        )
    if artifact.binding is None or artifact.binding.artifact_sha256 != artifact.sha256:
        raise ModelRefused(f"its verdict speaks of another file: {mend}")
