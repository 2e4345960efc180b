"""The OpenAPI document as a page to read."""

import base64
import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

from serving.rest.page_style import STYLE

_DIGEST = hashlib.sha256(STYLE.encode()).digest()
STYLE_HASH = f"sha256-{base64.b64encode(_DIGEST).decode()}"

_Json = Mapping[str, Any]


def docs_page(document: _Json) -> str:
    """Write a document as HTML.

    Args:
        document: of OpenAPI.
    """
    info = document["info"]
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    groups = itertools.groupby(
        sorted(operations, key=lambda each: _rank(operations, each[2]["tags"][0])),
        key=lambda each: each[2]["tags"][0],
    )
    parts = [
        f"<h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>",
        f"<p>{_prose(info['description'])}</p>",
        '<p><a href="/openapi.json">openapi.json</a></p>',
    ]
    for name, members in groups:
        parts.append(f"<h2>{escape(name)}</h2>")
        parts.extend(_operation(path, method, operation) for path, method, operation in members)
    parts.append("<h2>Objects</h2>")
    parts.extend(_schema(name, schema) for name, schema in document["components"]["schemas"].items())
    return _page(info["title"], parts)


def start_page(version: str) -> str:
    """The page from which to go on."""
    links = {
        "/docs": "what can be asked",
        "/openapi.json": "the same for generators",
        "/v2": "the server's metadata",
        "/v2/health/ready": "whether it takes inferences",
    }
    items = "".join(f'<li><a href="{path}">{path}</a> {escape(text)}</li>' for path, text in links.items())
    return _page(
        "keraport",
        [f"<h1>keraport <small>{escape(version)}</small></h1>", f'<ul class="links">{items}</ul>'],
    )


def _page(title: str, parts: Iterable[str]) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>"
    )


def _rank(operations: Iterable[tuple[str, str, _Json]], tag: str) -> int:
    """A group's place: that of its first operation."""
    return list(dict.fromkeys(operation["tags"][0] for _, _, operation in operations)).index(tag)


def _operation(path: str, method: str, operation: _Json) -> str:
    return (
        f'<details id="{operation["operationId"]}"><summary>'
        f'<b class="method {method}">{method.upper()}</b><code>{escape(path)}</code>'
        f"<span>{escape(operation['summary'])}</span></summary><div>{''.join(_inside(operation))}</div></details>"
    )


def _inside(operation: _Json) -> Iterator[str]:
    if operation["parameters"]:
        rows = ((each["name"], f"in the {each['in']}") for each in operation["parameters"])
        yield f"<h3>Parameters</h3>{_table(rows)}"
    if "requestBody" in operation:
        yield f"<h3>Body</h3>{_table(_contents(operation['requestBody']['content']))}"
    success, *failures = operation["responses"].items()
    yield f"<h3>Answer</h3>{_table(_contents(success[1]['content']))}"
    if failures:
        yield f"<h3>Errors</h3>{_table((status, each['description']) for status, each in failures)}"


def _contents(content: _Json) -> Iterator[tuple[str, str]]:
    for media_type, each in content.items():
        schema = each.get("schema", {})
        yield media_type, _prose(schema["description"]) if schema.get("format") else _type(schema)


def _schema(name: str, schema: _Json) -> str:
    rows = (
        (each, f"{_type(of)} {_prose(of.get('description', ''))}")
        for each, of in schema.get("properties", {}).items()
    )
    return (
        # The anchor is within, for a browser opens what it leads into.
        f"<details><summary><code>{escape(name)}</code><span>{_prose(schema.get('description', ''))}</span>"
        f'</summary><div id="{escape(name)}">{_table(rows)}</div></details>'
    )


def _type(schema: _Json) -> str:
    """A schema's type in few words, as HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[-1])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(each) for each in schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"map to {_type(schema['additionalProperties'])}"
    return escape(schema.get("format") or schema.get("type") or "anything")


def _table(rows: Iterable[tuple[str, str]]) -> str:
    """Names, escaped here, and what is said of them, HTML already."""
    lines = (f"<tr><td><code>{escape(name)}</code></td><td>{text}</td></tr>" for name, text in rows)
    return f"<table>{''.join(lines)}</table>"


def _prose(text: str) -> str:
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))
