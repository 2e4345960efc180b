"""What the docs list is what the code has."""

import re
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

from export.formats import FORMATS, Family
from serving.notation import plain, toml_text
from serving.options_cli import ServeOptions
from serving.proto.methods import METHODS
from serving.rest import errors as rest_errors
from serving.rest.answers import error_response
from serving.rpc import status as rpc_status
from serving.settings import RANGES, ModelSettings

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_table_of_formats_is_the_codes():
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \|$", (DOCS / "export.md").read_text(), re.MULTILINE)
    expected = []
    for kind, spec in FORMATS.items():
        file = f"`{spec.path}{'/' if spec.family is Family.SAVED_MODEL else ''}`"
        default = "always" if spec.required else "yes" if spec.default else "no"
        expected.append((kind, " | ".join([file, spec.precision, spec.tier, default, spec.what])))
    assert rows == expected


def rows_after(heading, page="configuration.md"):
    """The rows of a section's tables, as cells; the first row and the rule below it are a table's head."""
    section = (DOCS / page).read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def written(value):
    return "" if value is None else f"`{toml_text(plain(value))}`"


def span(name):
    return "{:,} to {:,}".format(*RANGES[name]) if name in RANGES else ""


def test_the_table_of_options_is_the_codes():
    hints = get_type_hints(ServeOptions, include_extras=True)
    expected = []
    for each in fields(ServeOptions):
        (option,) = hints[each.name].__metadata__
        told = option.show_default
        expected.append(
            [
                f"`--{each.name.replace('_', '-')}`",
                f"`{option.envvar}`",
                f"`{each.name}`",
                told if isinstance(told, str) else written(each.default),
                span(each.name),
                option.help,
            ]
        )
    assert rows_after("Options") == expected


def test_the_table_of_config_toml_is_the_codes():
    defaults = ModelSettings()
    expected = [
        [f"`{each.name}`", written(getattr(defaults, each.name)), span(each.name)]
        for each in fields(ModelSettings)
    ]
    assert [row[:3] for row in rows_after("A model's `config.toml`")] == expected


def test_the_table_of_rpcs_is_the_codes():
    cells = " ".join(row[0] for row in rows_after("Protocol", "serving.md"))
    assert sorted(re.findall(r"`([A-Z]\w+)`", cells)) == sorted(METHODS)


def said(error):
    return error.__doc__.rstrip(".")


def test_the_tables_of_statuses_are_the_codes():
    both = [
        [said(error), code.name, str(rest_errors.STATUS[error])] for error, code in rpc_status.STATUS.items()
    ]
    unexpected = RuntimeError("a secret")
    code, _ = rpc_status.status_of(unexpected)
    both.append(["Anything unexpected", code.name, str(error_response(unexpected).status_code)])
    assert sorted(row[:3] for row in rows_after("Statuses", "serving.md")) == sorted(both)
    of_http = [
        [said(error), str(status)]
        for error, status in rest_errors.STATUS.items()
        if error not in rpc_status.STATUS
    ]
    rows = [row[:2] for row in rows_after("Statuses", "rest.md")]
    assert [row for row in of_http if row not in rows] == []


def anchor_of(heading):
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_links_lead_somewhere():
    for page in (*DOCS.glob("*.md"), *(DOCS.parent / name for name in ("README.md", "CONTRIBUTING.md"))):
        for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text()):
            file, _, anchor = target.partition("#")
            linked = page.parent / file if file else page
            assert linked.exists(), f"{page.name} links {target}"
            headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE) if anchor else []
            assert not anchor or anchor in map(anchor_of, headings), f"{page.name} links {target}"
