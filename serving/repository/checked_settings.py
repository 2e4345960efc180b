"""The session settings under which a version may be run."""

from dataclasses import replace

from export.sessions import SessionSettings
from serving.errors import ModelRefused
from serving.settings import ModelSettings


def session_settings(
    checked: SessionSettings | None, wanted: ModelSettings, *, allow_unverified: bool
) -> SessionSettings:
    """The settings to open a session with: those under which parity was checked.

    Args:
        checked: as the manifest records them; None if it does not.
        wanted: of the model; may name another number of threads.
        allow_unverified: take what was not checked, too.

    Raises:
        ModelRefused: that would be needed, and is not allowed.
    """
    if checked is None and not allow_unverified:
        raise ModelRefused(
            "its verdict does not say under which session settings it passed: "
            "export it again, or serve it with --allow-unverified"
        )
    settings = checked or SessionSettings()
    threads = wanted.intra_op_threads
    if threads is None or threads == settings.intra_op_threads:
        return settings
    if not allow_unverified:
        raise ModelRefused(
            f"intra_op_threads is to be {threads}, parity was checked under {settings.intra_op_threads}: "
            f"export it again with --intra-op-threads {threads}, leave the setting out, "
            "or serve it with --allow-unverified"
        )
    return replace(settings, intra_op_threads=threads)
