"""One order and one set of names for an ONNX graph, whatever the converter's counters and hash seeds were."""

import copy
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from export.converters.layer_names import check_layers

if TYPE_CHECKING:
    import onnx

BATCH = "batch"
IMAGE_AXES = {1: "height", 2: "width"}
IMAGE_RANK = 4
LayerPath = Callable[[str], str]


def traced_path(layers: Iterable[str]) -> LayerPath:
    """How to find the Keras layers in a name that TensorFlow gave an operation.

    Keras opens a layer's scope twice, to build and to call it, so that TensorFlow appends a number: the
    operations of layer `conv` are in `conv_1`, those of layer `conv_1` in `conv_1_1`.
    """
    known = frozenset(layers)

    def path(name: str) -> str:
        parts = name.split(":", maxsplit=1)[0].split("/")
        found = [re.sub(r"_\d+$", "", part) for part in parts]
        named = [
            bare if bare in known else part
            for bare, part in zip(found, parts, strict=True)
            if bare in known or part in known
        ]
        return "/".join(named)

    return path


def layer_path(proto: "onnx.ModelProto") -> LayerPath:
    """How to find the Keras layers in a name that began as a node's of this model, `<layer>/<operator>`."""
    known = {node.name.rpartition("/")[0] for node in proto.graph.node}

    def path(name: str) -> str:
        parts = name.split("/")[:-1]
        starts = ("/".join(parts[:length]) for length in range(len(parts), 0, -1))
        return next((start for start in starts if start in known), "")

    return path


def canonicalize(proto: "onnx.ModelProto", path: LayerPath) -> None:
    """Order nodes by what the outputs need, drop what they do not, and name all by layer and operator.

    Node `<layer>/<operator>`, its output likewise, its constants `<layer>/<operator>/<parameter>`. The names
    of the model's inputs and outputs stay. Changes the model in place.
    """
    graph = proto.graph
    _prune(graph)
    names = _Names(path)
    names.taken.update(value.name for value in [*graph.input, *graph.output])
    kept = {value.name: value.name for value in [*graph.input, *graph.output]}
    names.rename(graph, "", kept)


def captured(graph: "onnx.GraphProto") -> set[str]:
    """What a subgraph takes from the graphs around it."""
    own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    own |= {output for node in graph.node for output in node.output}
    used = {name for node in graph.node for name in node.input}
    used |= {value.name for value in graph.output}
    for node in graph.node:
        for inner in subgraphs(node):
            used |= captured(inner)
    return {name for name in used if name and name not in own}


def subgraphs(node: "onnx.NodeProto") -> "list[onnx.GraphProto]":
    """The bodies of a Loop, If or Scan."""
    return [attribute.g for attribute in node.attribute if attribute.HasField("g")]


def all_nodes(graph: "onnx.GraphProto") -> "Iterator[onnx.NodeProto]":
    """The nodes of a graph and of all graphs inside it."""
    for node in graph.node:
        yield node
        for inner in subgraphs(node):
            yield from all_nodes(inner)


def _needs(node: "onnx.NodeProto") -> list[str]:
    names = [name for name in node.input if name]
    for graph in subgraphs(node):
        names += sorted(captured(graph))
    return names


def _prune(graph: "onnx.GraphProto") -> None:
    """Keep what the outputs need, in the order in which a walk from the outputs finishes it."""
    makers = {output: node for node in graph.node for output in node.output if output}
    done: dict[int, onnx.NodeProto] = {}
    stack = [(makers[value.name], False) for value in reversed(graph.output) if value.name in makers]
    while stack:
        node, ready = stack.pop()
        if id(node) in done:
            continue
        if ready:
            done[id(node)] = node
        else:
            stack.append((node, True))
            stack += [(makers[name], False) for name in reversed(_needs(node)) if name in makers]
    nodes = list(done.values())
    for node in nodes:
        for inner in subgraphs(node):
            _prune(inner)
    used = {name for node in nodes for name in _needs(node)} | {value.name for value in graph.output}
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    order = dict.fromkeys(name for node in nodes for name in [*_needs(node)] if name in tensors)
    order |= dict.fromkeys(value.name for value in graph.output if value.name in tensors)
    kept = [tensors[name] for name in order if name in used]
    # Copies, as clearing a protobuf field ends the life of what it held.
    nodes, kept = copy.deepcopy(nodes), copy.deepcopy(kept)
    del graph.node[:], graph.initializer[:], graph.value_info[:], graph.quantization_annotation[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)


@dataclass(slots=True)
class _Names:
    """Gives names, each once over all nested graphs."""

    path: LayerPath
    taken: set[str] = field(default_factory=set)

    def unique(self, name: str) -> str:
        candidates = (name if number == 1 else f"{name}_{number}" for number in _count())
        chosen = next(candidate for candidate in candidates if candidate not in self.taken)
        self.taken.add(chosen)
        return chosen

    def rename(self, graph: "onnx.GraphProto", prefix: str, table: dict[str, str]) -> None:
        constants = {tensor.name for tensor in graph.initializer}
        makers = {output: node for node in graph.node for output in node.output}
        for node in graph.node:
            old = [node.name, *node.output, *(name for name in node.input if name not in makers)]
            layer = next((found for name in old if (found := self.path(name))), "")
            node.name = self.unique("/".join(filter(None, [prefix or layer, node.op_type])))
            node.doc_string = ""
            self._name_constants(node, constants, table)
            for place, name in enumerate(node.output):
                if name and name not in table:
                    table[name] = node.name if place == 0 else self.unique(f"{node.name}:{place}")
                node.output[place] = table.get(name, name)
            for inner in subgraphs(node):
                nested = dict(table)
                for value in inner.input:
                    nested[value.name] = self.unique(f"{node.name}/input")
                self.rename(inner, node.name, nested)
                self._rename_ends(inner, nested)
        for tensor in graph.initializer:
            if tensor.name not in table:  # it is an output by itself
                table[tensor.name] = self.unique(f"{prefix}/constant")
            tensor.name, tensor.doc_string = table[tensor.name], ""

    def _name_constants(self, node: "onnx.NodeProto", constants: set[str], table: dict[str, str]) -> None:
        for place, name in enumerate(node.input):
            if name in constants and name not in table:
                table[name] = self.unique(f"{node.name}/{_parameter(node, place)}")
            node.input[place] = table.get(name, name)
        for name in _needs(node)[len([name for name in node.input if name]) :]:
            if name in constants and name not in table:
                table[name] = self.unique(f"{node.name}/constant")

    @staticmethod
    def _rename_ends(graph: "onnx.GraphProto", table: dict[str, str]) -> None:
        graph.name = "body"
        for value in [*graph.input, *graph.output]:
            value.name = table[value.name]


def _parameter(node: "onnx.NodeProto", place: int) -> str:
    """What the operator's definition calls one of its inputs."""
    import onnx

    try:
        formal = onnx.defs.get_schema(node.op_type, domain=node.domain).inputs
    except onnx.defs.SchemaError:
        return f"input{place}"
    return formal[place].name if place < len(formal) else f"{formal[-1].name}{place}"


def _count() -> Iterator[int]:
    number = 1
    while True:
        yield number
        number += 1


def name_dimensions(proto: "onnx.ModelProto") -> None:
    """Name the free dimensions of inputs and outputs: `batch`, `height` and `width`, `<tensor>_dim1`."""
    graph = proto.graph
    inputs = list(graph.input)
    for value in inputs:
        image = len(value.type.tensor_type.shape.dim) == IMAGE_RANK
        for axis, dimension in enumerate(value.type.tensor_type.shape.dim):
            if dimension.HasField("dim_value"):
                continue
            name = IMAGE_AXES.get(axis, f"dim{axis}") if image else f"dim{axis}"
            lone_image = image and len(inputs) == 1 and axis in IMAGE_AXES
            dimension.dim_param = BATCH if axis == 0 else name if lone_image else f"{value.name}_{name}"
    _name_output_dimensions(proto)


def _name_output_dimensions(proto: "onnx.ModelProto") -> None:
    from export.converters.onnx_shapes import known_shapes

    inputs = {
        dimension.dim_param
        for value in proto.graph.input
        for dimension in value.type.tensor_type.shape.dim
        if dimension.dim_param
    }
    for value in proto.graph.output:
        for dimension in value.type.tensor_type.shape.dim:
            if not dimension.HasField("dim_value"):
                dimension.Clear()
    shapes = known_shapes(proto)
    for value in proto.graph.output:
        inferred = shapes.get(value.name, ())
        for axis, dimension in enumerate(value.type.tensor_type.shape.dim):
            if dimension.HasField("dim_value"):
                continue
            size = inferred[axis] if axis < len(inferred) else None
            if axis == 0:
                dimension.dim_param = BATCH
            elif isinstance(size, int) and size > 0:
                dimension.dim_value = size
            elif isinstance(size, str) and size in inputs:
                dimension.dim_param = size
            else:
                dimension.dim_param = f"{value.name}_dim{axis}"


def nodes_of(proto: "onnx.ModelProto", layers: tuple[str, ...], keep_float: tuple[str, ...]) -> list[str]:
    """The nodes of layers, and of all layers inside them.

    Args:
        proto: the model.
        layers: all that it has.
        keep_float: those that are wanted.

    Raises:
        SourceError: it has not all of these.
    """
    check_layers(keep_float, frozenset(layers))
    kept = set(keep_float)
    return [node.name for node in proto.graph.node if kept & set(node.name.split("/")[:-1])]
