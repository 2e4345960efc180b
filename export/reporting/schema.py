"""The JSON schema of `report.json`, with what the docstrings say of each field."""

import inspect
import re
from typing import Any

import msgspec

from export.reporting.report import Report

ATTRIBUTES = "\n\nAttributes:\n"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def report_schema() -> bytes:
    """The schema, as docs/report.schema.json holds it."""
    schema = {"$schema": DIALECT, **msgspec.json.schema(Report)}
    for definition in schema["$defs"].values():
        _describe(definition)
    return msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n"


def _describe(definition: dict[str, Any]) -> None:
    """Give every field its line of the docstring, whose indentation differs between versions of Python."""
    what, _, attributes = inspect.cleandoc(definition.get("description", "")).partition(ATTRIBUTES)
    if what:
        definition["description"] = " ".join(what.split())
    for name, text in re.findall(r"^    (\w+): (.*(?:\n     +.*)*)", attributes, re.MULTILINE):
        if name in definition.get("properties", {}):
            definition["properties"][name]["description"] = " ".join(text.split())
