"""The files of a report: the page and its numbers in a version, or any of them where a user wants it."""

import os
import stat
import tempfile
from pathlib import Path

import msgspec

from export.errors import ReportError
from export.reporting.junit import render_junit
from export.reporting.page import render_page
from export.reporting.report import Report
from export.runner import Feed

BEGINNING = 16  # bytes that tell a page or an XML file
PAGE_NAME, NUMBERS_NAME = "report.html", "report.json"


def write_report(report: Report, folder: Path, samples: Feed) -> None:
    """Write `report.html` and `report.json` into a folder that nobody reads yet.

    Args:
        report: what to say.
        folder: a staged version's.
        samples: the test inputs by name, of which the page shows those that are answered differently; may be
            empty.
    """
    (folder / PAGE_NAME).write_text(render_page(report, samples), encoding="utf-8")
    (folder / NUMBERS_NAME).write_bytes(encode_report(report))


def encode_report(report: Report) -> bytes:
    """What `report.json` holds."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def write_copies(report: Report, samples: Feed, *, page: Path | None, junit: Path | None) -> None:
    """Write the page and the JUnit XML where a user wants them, each whole or not at all.

    Raises:
        ReportError: one cannot be written.
    """
    if page is not None:
        write_whole(page, render_page(report, samples).encode())
    if junit is not None:
        write_whole(junit, render_junit(report))


def check_destinations(*paths: Path | None) -> None:
    """Refuse, before a long job, places where no file can be written.

    Raises:
        ReportError: a folder is missing or closed, or something else than a file is there.
    """
    named = [path for path in paths if path is not None]
    if len({path.resolve() for path in named}) < len(named):
        raise ReportError(f"{named[0]} cannot hold two reports: give each a file of its own")
    for path in named:
        _check_destination(path)


def _check_destination(path: Path) -> None:
    try:
        _refuse_other_kinds(path)
        with tempfile.TemporaryFile(dir=path.resolve().parent):
            pass
    except OSError as error:
        raise _refusal(path, error) from error


def write_whole(path: Path, content: bytes) -> None:
    """Write a file by renaming a complete one, so that no reader meets half of it.

    Raises:
        ReportError: it cannot be written, or would take the place of something else than a report.
    """
    target = path.resolve()
    draft = target.with_name(
        f".{os.getpid()}.part"
    )  # short, as the file's own name may be as long as allowed
    try:
        _refuse_other_kinds(path)
        try:
            draft.write_bytes(content)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise _refusal(path, error) from error


def _refuse_other_kinds(path: Path) -> None:
    """Refuse to put a file in the place of a folder, a device or a pipe."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise ReportError(f"{path} is no plain file: name another file for the report")
    with path.open("rb") as stream:
        start = stream.read(BEGINNING).lower()
    if start and not start.startswith((b"<!doctype html", b"<?xml")):
        raise ReportError(f"{path} is no report and would be lost: name another file")


def _refusal(path: Path, error: OSError) -> ReportError:
    return ReportError(
        f"cannot write {path} ({error.strerror}): choose a file in a folder that can be written"
    )
