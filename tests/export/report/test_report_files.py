"""The report's files: the numbers under their schema, and copies where a user wants them."""

import os
from pathlib import Path

import msgspec
import pytest

from export.errors import ReportError
from export.reporting.files import check_destinations, write_copies, write_report
from export.reporting.report import REPORT_SCHEMA_VERSION, Report
from export.reporting.schema import report_schema

ROOT = Path(__file__).resolve().parents[3]


def test_the_numbers_are_the_whole_report(digits_report, tmp_path):
    write_report(digits_report, tmp_path, {})
    content = (tmp_path / "report.json").read_bytes()
    assert msgspec.json.decode(content, type=Report) == digits_report
    assert msgspec.json.decode(content)["schema_version"] == REPORT_SCHEMA_VERSION == 1
    assert (tmp_path / "report.html").read_text("utf-8").startswith("<!doctype html>")
    first = (tmp_path / "report.html").read_bytes(), content
    write_report(digits_report, tmp_path, {})
    assert first == ((tmp_path / "report.html").read_bytes(), (tmp_path / "report.json").read_bytes())


def test_the_documented_schema_is_the_present_one():
    assert (ROOT / "docs" / "report.schema.json").read_bytes() == report_schema(), (
        "write it anew, as docs/report.md says"
    )


def test_the_schema_explains_every_field_of_the_report():
    definitions = msgspec.json.decode(report_schema())["$defs"]
    for name in (
        "Report",
        "Artifact",
        "Comparison",
        "OutputComparison",
        "AccuracyChange",
        "Histogram",
        "Flip",
    ):
        for field, schema in definitions[name]["properties"].items():
            assert schema.get("description"), f"{name}.{field}"


def test_copies_replace_what_was_there(digits_report, tmp_path):
    page, junit = tmp_path / "page.html", tmp_path / "junit.xml"
    page.write_text("<!DOCTYPE html>an older report")
    write_copies(digits_report, {}, page=page, junit=junit)
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert junit.read_text("utf-8").startswith("<?xml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["junit.xml", "page.html"]


def test_what_is_no_report_is_not_replaced(digits_report, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ReportError, match="is no report and would be lost"):
        write_copies(digits_report, {}, page=tmp_path / "notes.txt", junit=None)
    with pytest.raises(ReportError, match="give each a file of its own"):
        check_destinations(tmp_path / "one.html", tmp_path / "one.html")
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_link_keeps_leading_where_it_led(digits_report, tmp_path):
    (tmp_path / "real.html").write_text("")
    (tmp_path / "link.html").symlink_to("real.html")
    write_copies(digits_report, {}, page=tmp_path / "link.html", junit=None)
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "real.html").read_text("utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize("name", ["missing/page.html", "file/page.html", "folder", "pipe", "x" * 300])
def test_a_place_that_cannot_be_written_is_refused_in_one_line(digits_report, tmp_path, name):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    before = sorted(tmp_path.rglob("*"))
    for refused in (
        lambda: check_destinations(None, tmp_path / name),
        lambda: write_copies(digits_report, {}, page=tmp_path / name, junit=None),
    ):
        with pytest.raises(ReportError) as error:
            refused()
        assert len(str(error.value).splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_a_check_leaves_nothing(tmp_path):
    check_destinations(tmp_path / "page.html", None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--report", "--junit"])
def test_the_command_refuses_before_it_works(keraport, tmp_path, option):
    for command in (["export", "no-such-run"], ["parity", "no-such-version"]):
        result = keraport(*command, option, tmp_path / "missing" / "file")
        assert result.returncode == 2
        assert "choose a file in a folder that can be written" in result.stderr
