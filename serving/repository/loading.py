"""From a folder of published models to the versions that are served."""

import logging
import re
from collections.abc import Callable
from pathlib import Path

from export.errors import ManifestError
from export.formats import Format
from export.manifest import MODEL_NAME, Artifact, read_manifest, verify_artifact
from export.sessions import SessionSettings, open_session
from export.verdict import Verdict
from serving.errors import ModelRefused, RepositoryError
from serving.session import Session

log = logging.getLogger(__name__)

VERSION = re.compile(r"[1-9][0-9]*")


def load_repository(
    repository: Path,
    *,
    model: str | None = None,
    allow_unverified: bool = False,
    max_rows: int,
    stopping: Callable[[], bool] = lambda: False,
) -> dict[str, Session]:
    """Load the newest servable version of every model; each refused version is logged with the reason.

    Args:
        repository: the folder of published models.
        model: load this one alone.
        allow_unverified: take artifacts without a passing verdict, too.
        max_rows: of the largest batch to come.
        stopping: asked before each version; once it is true, no further one is loaded.

    Returns:
        Model name to warmed-up session; told to stop, those loaded by then.

    Raises:
        RepositoryError: there is no repository, no such model in it, or nothing that can be served.
    """
    names = _model_names(repository)
    if model is not None:
        if model not in names:
            known = ", ".join(names) or "no model"
            raise RepositoryError(f"{repository} holds no model {model!r}, but {known}: name one of those")
        names = [model]
    if not names:
        raise RepositoryError(f"{repository} holds no published model: run `keraport export` first")
    sessions = {}
    for name in names:
        session = _load_newest(
            repository / name, allow_unverified=allow_unverified, max_rows=max_rows, stopping=stopping
        )
        if session is not None:
            sessions[name] = session
    if not sessions and not stopping():
        raise RepositoryError(f"nothing in {repository} can be served, see above: export the model again")
    return sessions


def load_version(folder: Path, *, allow_unverified: bool = False, max_rows: int) -> Session:
    """Verify, open and warm up one published version.

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
        session = Session(manifest, open_session(path, artifact.session or SessionSettings()))
    except (ManifestError, OSError) as error:
        raise ModelRefused(str(error)) from error
    session.warm_up(max_rows)
    return session


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
    if artifact.session is None:
        raise ModelRefused(f"its verdict does not say under which session settings it passed: {mend}")


def _load_newest(
    home: Path, *, allow_unverified: bool, max_rows: int, stopping: Callable[[], bool]
) -> Session | None:
    versions = _versions_newest_first(home)
    if not versions:
        log.warning("%s holds no version of a model", home)
    for folder in versions:
        if stopping():
            break
        try:
            return load_version(folder, allow_unverified=allow_unverified, max_rows=max_rows)
        except ModelRefused as refusal:
            log.warning("%s version %s is not served: %s", home.name, folder.name, refusal)
    return None


def _model_names(repository: Path) -> list[str]:
    try:
        folders = sorted(path for path in repository.iterdir() if path.is_dir())
    except OSError as error:
        raise RepositoryError(
            f"the repository {repository} cannot be read ({error.strerror}): "
            "run `keraport export` first or give --repository"
        ) from error
    return [path.name for path in folders if MODEL_NAME.fullmatch(path.name)]


def _versions_newest_first(home: Path) -> list[Path]:
    try:
        numbers = [
            int(path.name) for path in home.iterdir() if VERSION.fullmatch(path.name) and path.is_dir()
        ]
    except OSError as error:
        log.warning("%s cannot be read: %s", home, error.strerror)
        numbers = []
    return [home / str(number) for number in sorted(numbers, reverse=True)]
