"""What an ONNX file holds, through `onnx` alone."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from export.errors import SourceError, first_line
from export.inspecting.contents import Contents, Kind, OperatorFacts, TensorFacts

if TYPE_CHECKING:
    import onnx

NUMPY_NAMES = {"float": "float32", "double": "float64"}
BITS = {"int4": 4, "uint4": 4, "float4e2m1": 4, "int2": 2, "uint2": 2, "complex64": 64, "complex128": 128}
MAX_COUNT = 1 << 48  # of numbers that one tensor may claim to hold
OWN_DOMAINS = ("", "ai.onnx")


def inspect_onnx(path: Path) -> Contents:
    """Read an ONNX file; weights in files beside it are named, not read.

    Raises:
        SourceError: it is none.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, ValueError, RecursionError) as error:
        raise SourceError(f"{path} is no ONNX file ({first_line(error)}): export it again") from error
    if not model.graph.node and not model.graph.output:
        raise SourceError(f"{path} is no ONNX file (it holds no graph): export it again")
    opsets = {entry.domain: entry.version for entry in model.opset_import}
    tensors = list(_constants(model.graph))
    outside = sorted({entry.value for t in tensors for entry in t.external_data if entry.key == "location"})
    weights: Counter[str] = Counter()
    for tensor in tensors:
        weights[_dtype(tensor.data_type)] += _count(path, tensor)
    own = {tensor.name for tensor in model.graph.initializer}
    local = {(function.domain, function.name) for function in model.functions}
    operators = _operators(model, opsets, local)
    return Contents(
        kind=Kind.ONNX,
        inputs=tuple(_tensor(info) for info in model.graph.input if info.name not in own),
        outputs=tuple(_tensor(info) for info in model.graph.output),
        operators=operators,
        weights=dict(weights),
        weight_bytes=sum(_bytes(tensor) for tensor in tensors),
        versions=_versions(model, opsets),
        metadata={entry.key: entry.value for entry in model.metadata_props},
        custom=tuple(operator.name for operator in operators if operator.custom),
        notes=tuple(f"weights are in the file {name!r} beside it" for name in outside),
    )


def _versions(model: "onnx.ModelProto", opsets: dict[str, int]) -> dict[str, str]:
    found = {f"opset {domain}".strip(): str(version) for domain, version in sorted(opsets.items())}
    found["IR"] = str(model.ir_version)
    if model.producer_name:
        # tf2onnx adds its commit to its version.
        found["producer"] = " ".join((model.producer_name, *model.producer_version.split()[:1]))
    return found


def _operators(
    model: "onnx.ModelProto", opsets: dict[str, int], local: set[tuple[str, str]]
) -> tuple[OperatorFacts, ...]:
    import onnx

    counts: Counter[tuple[str, str]] = Counter()
    for node in _nodes(model.graph.node):
        counts[node.domain, node.op_type] += 1
    for function in model.functions:
        for node in _nodes(function.node):
            counts[node.domain, node.op_type] += 1
    facts = []
    for (domain, kind), count in sorted(counts.items()):
        try:
            schema = onnx.defs.get_schema(
                kind, opsets.get(domain, 1), "" if domain in OWN_DOMAINS else domain
            )
            version: int | None = schema.since_version
        except onnx.defs.SchemaError:
            version = None
        facts.append(
            OperatorFacts(
                name=kind if domain in OWN_DOMAINS else f"{domain}.{kind}",
                version=version,
                count=count,
                custom=version is None and (domain, kind) not in local,
            )
        )
    return tuple(facts)


def _nodes(nodes: Iterable["onnx.NodeProto"]) -> Iterator["onnx.NodeProto"]:
    """All nodes, those of branches and loop bodies too."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _nodes(graph.node)


def _constants(graph: "onnx.GraphProto") -> Iterator["onnx.TensorProto"]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            for inner in (attribute.g, *attribute.graphs):
                yield from _constants(inner)


def _tensor(info: "onnx.ValueInfoProto") -> TensorFacts:
    kind = info.type.tensor_type
    if not info.type.HasField("tensor_type"):
        return TensorFacts(name=info.name)
    shape = tuple(
        size.dim_value if size.HasField("dim_value") else size.dim_param or -1 for size in kind.shape.dim
    )
    return TensorFacts(
        name=info.name, dtype=_dtype(kind.elem_type), shape=shape if kind.HasField("shape") else None
    )


def _dtype(number: int) -> str:
    import onnx

    try:
        name = onnx.TensorProto.DataType.Name(number).lower()
    except ValueError:
        return f"unknown type {number}"
    return NUMPY_NAMES.get(name, name)


def _count(path: Path, tensor: "onnx.TensorProto") -> int:
    count = math.prod(tensor.dims)
    if count > MAX_COUNT or any(size < 0 for size in tensor.dims):
        raise SourceError(
            f"{path} is damaged ({tensor.name[:100]!r} has an impossible shape): export it again"
        )
    return count


def _bytes(tensor: "onnx.TensorProto") -> int:
    if tensor.raw_data:
        return len(tensor.raw_data)
    name = _dtype(tensor.data_type)
    digits = "".join(character for character in name.split("e")[0] if character.isdigit())
    return math.prod(tensor.dims) * BITS.get(name, int(digits or 8)) // 8
