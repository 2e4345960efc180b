"""Where a kit goes: it appears whole or not at all, and takes no place but that of an untouched kit."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from export.edge.record import changed_files, read_kit
from export.errors import KitError
from export.staging import staged_folder

LISTED = 5


def check_out(out: Path, versions: Path) -> None:
    """Check that a kit may be written to a place: nothing is there, or a kit as keraport wrote it.

    Args:
        out: the place.
        versions: the folder of the model's published versions, which holds nothing else.

    Raises:
        KitError: it may not.
    """
    if out.resolve().is_relative_to(versions.resolve()):
        raise KitError(f"{out} is among the published versions of the model: choose another --out")
    if out.resolve().is_mount():
        raise KitError(f"{out} is a mount point, which nothing can take the place of: name a folder in it")
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir() or out.is_symlink():
        raise KitError(f"{out} is no folder: choose another --out")
    if not any(out.iterdir()):
        return
    try:
        kit = read_kit(out)
    except KitError as error:
        raise KitError(
            f"{out} holds something else than a kit of this keraport: choose another --out"
        ) from error
    if changed := changed_files(kit, out):
        more = f" and {len(changed) - LISTED} more" if len(changed) > LISTED else ""
        raise KitError(
            f"{out} holds work of yours ({', '.join(changed[:LISTED])}{more}): "
            "move it, or choose another --out"
        )


@contextlib.contextmanager
def kit_folder(out: Path, versions: Path) -> Iterator[tuple[Path, Path]]:
    """A folder to build a kit in, which takes its place when the block ends without an error.

    Args:
        out: the place.
        versions: the folder of the model's published versions.

    Yields:
        The folder, and one for what does not go into the kit; what is left of both after a kill goes with the
        next kit that is built there.

    Raises:
        KitError: the place is taken by something else, or cannot be written.
    """
    check_out(out, versions)
    out = out.resolve()  # "." has no parent to rename it in
    home = out.parent
    with contextlib.ExitStack() as stack:
        try:
            home.mkdir(parents=True, exist_ok=True)
            scratch = stack.enter_context(staged_folder(home, f".{out.name}-kit-"))
            folder, work = scratch / "new", scratch / "work"
            folder.mkdir()
            work.mkdir()
        except OSError as error:
            raise KitError(f"cannot write to {home} ({error.strerror}): choose another --out") from error
        yield folder, work
        check_out(out, versions)  # what may have come there meanwhile
        _put(folder, out, scratch / "old")


def _put(folder: Path, out: Path, old: Path) -> None:
    """Rename the new kit into its place; the old one comes back if that fails."""
    if not out.exists():
        folder.rename(out)
        return
    out.rename(old)
    try:
        folder.rename(out)
    except BaseException:
        old.rename(out)
        raise
