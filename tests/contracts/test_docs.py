"""What the docs list is what the code has."""

import re
from pathlib import Path

from export.formats import FORMATS, Family

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_table_of_formats_is_the_codes():
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \|$", (DOCS / "export.md").read_text(), re.MULTILINE)
    expected = []
    for kind, spec in FORMATS.items():
        file = f"`{spec.path}{'/' if spec.family is Family.SAVED_MODEL else ''}`"
        default = "always" if spec.required else "yes" if spec.default else "no"
        expected.append((kind, " | ".join([file, spec.precision, spec.tier, default, spec.what])))
    assert rows == expected
