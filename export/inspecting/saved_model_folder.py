"""What a SavedModel holds, read from its protobuf; the model is not loaded, and TensorFlow not started."""

import importlib.util
import math
import sys
import types
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from export.errors import SourceError, first_line
from export.inspecting.contents import Contents, Kind, OperatorFacts, TensorFacts

SIGNATURE = "serving_default"
INNER = "__saved_model_init_op"
NUMPY_NAMES = {"float": "float32", "double": "float64", "half": "float16"}


def inspect_saved_model(folder: Path) -> Contents:
    """Read a SavedModel's graph and signature. Only for a process that will not use TensorFlow itself.

    Raises:
        SourceError: it is none.
    """
    messages, data_types = _messages()
    path = folder / "saved_model.pb"
    try:
        saved = messages.SavedModel.FromString(path.read_bytes())
        graph = saved.meta_graphs[0]
    except (ValueError, IndexError, RecursionError) as error:
        raise SourceError(f"{path} is no SavedModel ({first_line(error)}): export it again") from error
    except Exception as error:  # protobuf's own DecodeError, whose module differs between its versions
        raise SourceError(f"{path} is damaged ({first_line(error)}): export it again") from error
    signatures = {name: one for name, one in graph.signature_def.items() if name != INNER}
    signature = signatures.get(SIGNATURE)

    def dtype(number: int) -> str:
        name = str(data_types.Name(number)).removeprefix("DT_").lower()
        return NUMPY_NAMES.get(name, name)

    weights: Counter[str] = Counter()
    for node in graph.object_graph_def.nodes:
        if node.WhichOneof("kind") == "variable":
            weights[dtype(node.variable.dtype)] += math.prod(
                max(size.size, 0) for size in node.variable.shape.dim
            )
    variables = [file for file in folder.glob("variables/variables.data-*") if file.is_file()]
    return Contents(
        kind=Kind.SAVED_MODEL,
        inputs=_tensors(signature.inputs, dtype) if signature else (),
        outputs=_tensors(signature.outputs, dtype) if signature else (),
        operators=_operators(graph, signature),
        weights=dict(weights),
        weight_bytes=sum(file.stat().st_size for file in variables),
        versions={
            "TensorFlow": graph.meta_info_def.tensorflow_version,
            "GraphDef producer": str(graph.graph_def.versions.producer),
        },
        metadata={"tags": ", ".join(graph.meta_info_def.tags), "signatures": ", ".join(sorted(signatures))},
        notes=() if signature else (f"it has no {SIGNATURE} signature, so keraport cannot run it",),
    )


def _messages() -> tuple[Any, Any]:
    """TensorFlow's protobuf messages. Under a stand-in for its package they come in 30 ms, not in 5 s."""
    if "tensorflow" not in sys.modules:
        spec = importlib.util.find_spec("tensorflow")
        if spec is None or spec.submodule_search_locations is None:
            raise ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow")
        package = types.ModuleType("tensorflow")
        package.__path__ = list(spec.submodule_search_locations)
        sys.modules["tensorflow"] = package
    from tensorflow.core.framework import types_pb2
    from tensorflow.core.protobuf import saved_model_pb2

    return saved_model_pb2, types_pb2.DataType


def _tensors(infos: Any, dtype: Any) -> tuple[TensorFacts, ...]:  # noqa: ANN401  (protobuf's, without stubs)
    return tuple(
        TensorFacts(
            name=name,
            dtype=dtype(info.dtype),
            shape=None
            if info.tensor_shape.unknown_rank
            else tuple(int(size.size) for size in info.tensor_shape.dim),
        )
        for name, info in sorted(infos.items())
    )


def _operators(graph: Any, signature: Any) -> tuple[OperatorFacts, ...]:  # noqa: ANN401
    """Counts of all operators that the signature reaches, in functions too; all there are without one."""
    functions = {function.signature.name: function for function in graph.graph_def.library.function}
    counts: Counter[str] = Counter()
    waiting = list(_reached(graph.graph_def, signature) if signature else graph.graph_def.node)
    seen: set[str] = set()
    while waiting:
        node = waiting.pop()
        counts[node.op] += 1
        called = {name for value in node.attr.values() for name in _called(value)}
        for name in (called & functions.keys()) - seen:
            seen.add(name)
            waiting.extend(functions[name].node_def)
    return tuple(OperatorFacts(name=name, count=count) for name, count in sorted(counts.items()))


def _called(value: Any) -> Iterator[str]:  # noqa: ANN401
    if value.HasField("func"):
        yield value.func.name
    yield from (function.name for function in value.list.func)


def _reached(graph: Any, signature: Any) -> Iterator[Any]:  # noqa: ANN401
    nodes = {node.name: node for node in graph.node}
    waiting = [info.name.split(":")[0] for info in signature.outputs.values()]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in seen:
            seen.add(name)
            yield nodes[name]
            waiting.extend(entry.removeprefix("^").split(":")[0] for entry in nodes[name].input)
