"""The OpenAPI document of the endpoints."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from serving.proto import inference_pb2 as pb
from serving.rest.endpoints import Endpoint
from serving.rest.messages import ErrorAnswer

OPENAPI = "3.1.0"
DESCRIPTION = (
    "The Open Inference Protocol, version 2. Tensors travel as JSON, or behind it as bytes: an input then "
    "has the parameter `binary_data_size`, an output is asked for with `binary_data`, and the header "
    "`Inference-Header-Content-Length` gives the length of the JSON. Bodies may be compressed, by gzip or "
    "deflate."
)
BINARY_HEADER = "Inference-Header-Content-Length"

MEANINGS: Mapping[int, str] = {
    400: "not what the protocol or the model takes",
    401: "no token, or none that is known",
    403: "the token lacks the scope, or clients may not do this here",
    404: "no such model or version is served",
    408: "the body came too slowly",
    413: "the body is over the limit",
    415: "the body is compressed in an unknown way",
    429: "too many requests wait already",
    431: "the headers are over the limit",
    500: "something unexpected; the server's log has the details",
    503: "the server is stopping",
    504: "the timeout passed before the request's turn",
}

_REFERENCE = "#/components/schemas/{name}"
_Json = dict[str, Any]
_Schemas = Mapping[type | str | None, _Json]


def openapi_document(endpoints: Sequence[Endpoint], *, version: str) -> _Json:
    """Describe endpoints.

    Args:
        endpoints: all of them.
        version: of the server.
    """
    types = {part for each in endpoints for part in (each.body, each.answer) if _is_type(part)}
    ordered = sorted(types | {ErrorAnswer}, key=str)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=_REFERENCE)
    by_type: _Schemas = dict(zip(ordered, schemas, strict=True))
    paths: _Json = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, by_type)
    for name in sorted({each.answer for each in endpoints if isinstance(each.answer, str)}):
        components.update(_message_schemas(pb.DESCRIPTOR.message_types_by_name[name]))
    return {
        "openapi": OPENAPI,
        "info": {"title": "keraport", "version": version, "description": DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _is_type(part: object) -> bool:
    return part is not None and not isinstance(part, str)


def _operation(endpoint: Endpoint, schemas: _Schemas) -> _Json:
    operation: _Json = {
        "tags": [endpoint.group],
        "summary": endpoint.summary,
        "operationId": re.sub(r"\W+", "_", f"{endpoint.method.lower()}{endpoint.path}").strip("_"),
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in re.findall(r"{(\w+)}", endpoint.path)
        ],
        "responses": {"200": _success(endpoint, schemas), **_failures(endpoint, schemas)},
    }
    if endpoint.body is not None:
        content: _Json = {"application/json": {"schema": schemas[endpoint.body]}}
        if endpoint.group == "Inference":
            content["application/octet-stream"] = {"schema": _BYTES}
            operation["parameters"].append(
                {"name": BINARY_HEADER, "in": "header", "schema": {"type": "integer"}}
            )
        operation["requestBody"] = {"required": endpoint.group == "Inference", "content": content}
    if endpoint.scope is not None:
        # An empty requirement beside it: tokens are needed only where the server has some.
        operation["security"] = [{"token": [endpoint.scope]}, {}]
    return operation


_BYTES = {
    "type": "string",
    "format": "binary",
    "description": "the same as JSON, then the bytes of those tensors that have `binary_data_size`",
}


def _success(endpoint: Endpoint, schemas: _Schemas) -> _Json:
    if endpoint.answer is None:
        return {"description": "a page", "content": {"text/html": {}}}
    if isinstance(endpoint.answer, str):
        schema = {"$ref": _REFERENCE.format(name=endpoint.answer)}
    else:
        schema = schemas[endpoint.answer]
    content: _Json = {"application/json": {"schema": schema}}
    if endpoint.group == "Inference":
        content["application/octet-stream"] = {"schema": _BYTES}
    return {"description": "the answer", "content": content}


def _failures(endpoint: Endpoint, schemas: _Schemas) -> _Json:
    statuses: Iterable[int] = endpoint.statuses
    if endpoint.scope is not None:
        statuses = sorted({*statuses, 401, 403, 431, 500})
    content = {"application/json": {"schema": schemas[ErrorAnswer]}}
    return {str(status): {"description": MEANINGS[status], "content": content} for status in statuses}


def _message_schemas(message: Descriptor) -> _Json:
    """The schema of a protobuf message as JSON, and of all that it holds."""
    schemas: _Json = {
        message.name: {
            "type": "object",
            "title": message.name,
            "properties": {field.name: _field_schema(field) for field in message.fields},
        }
    }
    for field in message.fields:
        value = _map_value(field) or field
        if value.message_type is not None:
            schemas.update(_message_schemas(value.message_type))
    return schemas


def _map_value(field: FieldDescriptor) -> FieldDescriptor | None:
    held = field.message_type
    return held.fields_by_name["value"] if held is not None and held.GetOptions().map_entry else None


def _field_schema(field: FieldDescriptor) -> _Json:
    if (value := _map_value(field)) is not None:
        return {"type": "object", "additionalProperties": _single_schema(value)}
    single = _single_schema(field)
    return {"type": "array", "items": single} if field.is_repeated else single


def _single_schema(field: FieldDescriptor) -> _Json:
    if field.message_type is not None:
        return {"$ref": _REFERENCE.format(name=field.message_type.name)}
    if field.enum_type is not None:
        return {"type": "string", "enum": [value.name for value in field.enum_type.values]}
    kinds = {FieldDescriptor.CPPTYPE_BOOL: "boolean", FieldDescriptor.CPPTYPE_STRING: "string"}
    floats = (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE)
    return {"type": "number" if field.cpp_type in floats else kinds.get(field.cpp_type, "integer")}
