"""A TFLite file as an object that can be looked into, changed, and packed again into repeatable bytes."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

IDENTIFIER = b"TFL3"
ALIGNMENT = 16  # bytes, which LiteRT's kernels and microcontrollers expect of weights
ABSENT = -1  # the index of an optional tensor that is left out
FIRST_SCHEMA_OPERATORS = 127  # what fits the byte that old runtimes read
DTYPES = {
    "FLOAT32": "<f4",
    "FLOAT16": "<f2",
    "INT8": "i1",
    "UINT8": "u1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
}


class TFLiteGraph:
    """The first subgraph of a TFLite file, which is the model, and what belongs to it.

    Args:
        content: of the file.

    Attributes:
        schema: the module of the file's types.
        model: the whole file as the schema's objects.
        main: the subgraph.
    """

    def __init__(self, content: bytes) -> None:
        from ai_edge_litert import schema_py_generated

        self.schema: Any = schema_py_generated
        self.model: schema.ModelT = self.schema.ModelT.InitFromPackedBuf(content, 0)
        self.main: schema.SubGraphT = self.model.subgraphs[0]
        self._kinds = _names(self.schema.BuiltinOperator)
        self._dtypes = _names(self.schema.TensorType)
        for operator in self.main.operators:
            operator.inputs, operator.outputs = list(operator.inputs), list(operator.outputs)
        self.main.inputs, self.main.outputs = list(self.main.inputs), list(self.main.outputs)

    def inputs(self) -> dict[str, int]:
        """Name to tensor of the model's inputs."""
        return {entry.name.decode(): entry.tensorIndex for entry in self.model.signatureDefs[0].inputs}

    def kind(self, operator: "schema.OperatorT") -> str:
        """An operator's name in the schema, such as CONV_2D."""
        code = self.model.operatorCodes[operator.opcodeIndex]
        return self._kinds[max(code.builtinCode, code.deprecatedBuiltinCode)]

    def dtype(self, tensor: int) -> str:
        """A tensor's type in the schema, such as FLOAT32."""
        return self._dtypes[self.main.tensors[tensor].type]

    def set_dtype(self, tensor: int, dtype: str) -> None:
        """Change a tensor's type, not its content."""
        self.main.tensors[tensor].type = getattr(self.schema.TensorType, dtype)

    def name(self, tensor: int) -> str:
        """A tensor's name: of one operator of the traced model, or of several that were fused, by `;`."""
        text: bytes = self.main.tensors[tensor].name
        return text.decode()

    def shape(self, tensor: int) -> tuple[int, ...]:
        """A tensor's shape."""
        found = self.main.tensors[tensor].shape
        return () if found is None else tuple(int(size) for size in found)

    def constant(self, tensor: int) -> NDArray[Any] | None:
        """The values of a constant tensor; None of another."""
        if tensor == ABSENT:
            return None
        data = self.model.buffers[self.main.tensors[tensor].buffer].data
        if data is None or len(data) == 0 or self.dtype(tensor) not in DTYPES:
            return None
        return np.frombuffer(np.asarray(data, np.uint8).tobytes(), DTYPES[self.dtype(tensor)]).reshape(
            self.shape(tensor)
        )

    def consumers(self, tensor: int) -> "list[schema.OperatorT]":
        """The operators that read a tensor."""
        return [operator for operator in self.main.operators if tensor in operator.inputs]

    def tensor_names(self, operator: "schema.OperatorT") -> list[str]:
        """The names of what an operator writes and of its constants, which tell where it comes from."""
        constants = [tensor for tensor in operator.inputs if self.constant(tensor) is not None]
        return [self.name(tensor) for tensor in (*operator.outputs, *constants)]

    def replace(self, old: int, new: int) -> None:
        """Let everything that reads one tensor read another; outputs too."""
        for operator in self.main.operators:
            operator.inputs = [new if tensor == old else tensor for tensor in operator.inputs]
        self.main.outputs = [new if tensor == old else tensor for tensor in self.main.outputs]
        for entry in self.model.signatureDefs[0].outputs:
            if entry.tensorIndex == old:
                entry.tensorIndex = new

    def add_tensor(self, name: str, dtype: str, shape: Iterable[int]) -> int:
        """Add a tensor.

        Returns:
            Its index.
        """
        tensor = self.schema.TensorT(
            name=name.encode(),
            shape=list(shape),
            buffer=0,
            hasRank=True,
            type=getattr(self.schema.TensorType, dtype),
        )
        self.main.tensors.append(tensor)
        return len(self.main.tensors) - 1

    def add_constant(self, name: str, values: NDArray[np.float32]) -> int:
        """Add a tensor of constant floats.

        Returns:
            Its index.
        """
        index = self.add_tensor(name, "FLOAT32", values.shape)
        self.model.buffers.append(self.schema.BufferT(data=as_bytes(values)))
        self.main.tensors[index].buffer = len(self.model.buffers) - 1
        return index

    def operator(
        self,
        kind: str,
        inputs: Iterable[int],
        outputs: Iterable[int],
        options: str | None = None,
    ) -> "schema.OperatorT":
        """Make an operator; the caller puts it in its place.

        Args:
            kind: its name in the schema.
            inputs: its tensors to read.
            outputs: those to write.
            options: the name of the schema's class of its options, all at their defaults.
        """
        number = getattr(self.schema.BuiltinOperator, kind)
        code = self.schema.OperatorCodeT(
            builtinCode=number, deprecatedBuiltinCode=min(number, FIRST_SCHEMA_OPERATORS), version=1
        )
        self.model.operatorCodes.append(code)
        made = self.schema.OperatorT(
            opcodeIndex=len(self.model.operatorCodes) - 1, inputs=list(inputs), outputs=list(outputs)
        )
        if options is not None:
            made.builtinOptionsType = getattr(self.schema.BuiltinOptions, options)
            made.builtinOptions = getattr(self.schema, f"{options}T")()
        return made

    def pack(self) -> bytes:
        """The file's bytes: only what is used, in the order that it has, weights aligned."""
        _prune_codes(self.model)
        _prune_tensors(self.model)
        _prune_buffers(self.model)
        builder = _aligning_builder()
        builder.Finish(self.model.Pack(builder), IDENTIFIER)
        return bytes(builder.Output())


def as_bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    """An array's content as a buffer takes it."""
    return np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)


def _names(enumeration: type) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


def _aligning_builder() -> Any:  # noqa: ANN401  (flatbuffers has no types)
    """A builder that aligns vectors of bytes as the schema says, which generated code forgets for arrays."""
    import flatbuffers

    class Builder(flatbuffers.Builder):  # type: ignore[misc]
        def CreateNumpyVector(self, x: NDArray[Any]) -> int:  # noqa: N802  (its base's name)
            if x.dtype == np.uint8:
                self.Prep(ALIGNMENT, x.size)  # then the last padding is before the content
            return int(super().CreateNumpyVector(x))

    return Builder(1024)


def _prune_codes(model: "schema.ModelT") -> None:
    """Drop operator codes without operators: a runtime refuses a file for one that it lacks."""
    operators = [operator for graph in model.subgraphs for operator in graph.operators]
    kept: list[Any] = []
    places: dict[tuple[int, int, int, Any], int] = {}
    for operator in operators:
        code = model.operatorCodes[operator.opcodeIndex]
        key = (code.builtinCode, code.deprecatedBuiltinCode, code.version, code.customCode)
        if key not in places:
            places[key] = len(kept)
            kept.append(code)
        operator.opcodeIndex = places[key]
    model.operatorCodes = kept


def _prune_tensors(model: "schema.ModelT") -> None:
    """Drop tensors of the first subgraph that nothing reads or writes."""
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    used = {tensor for operator in graph.operators for tensor in (*operator.inputs, *operator.outputs)}
    used |= {
        t
        for operator in graph.operators
        if operator.intermediates is not None
        for t in operator.intermediates
    }
    used |= {*graph.inputs, *graph.outputs}
    used |= {entry.tensorIndex for entry in (*signature.inputs, *signature.outputs)}
    order = [index for index in range(len(graph.tensors)) if index in used]
    places = {old: new for new, old in enumerate(order)} | {ABSENT: ABSENT}
    graph.tensors = [graph.tensors[index] for index in order]
    for operator in graph.operators:
        operator.inputs = [places[tensor] for tensor in operator.inputs]
        operator.outputs = [places[tensor] for tensor in operator.outputs]
        if operator.intermediates is not None:
            operator.intermediates = [places[tensor] for tensor in operator.intermediates]
    graph.inputs = [places[tensor] for tensor in graph.inputs]
    graph.outputs = [places[tensor] for tensor in graph.outputs]
    for entry in (*signature.inputs, *signature.outputs):
        entry.tensorIndex = places[entry.tensorIndex]


def _prune_buffers(model: "schema.ModelT") -> None:
    """Drop buffers that no tensor and no metadata names; the first one stays, empty by convention."""
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    holders = [*tensors, *(model.metadata or ())]
    order = sorted({0} | {holder.buffer for holder in holders})
    places = {old: new for new, old in enumerate(order)}
    model.buffers = [model.buffers[index] for index in order]
    for holder in holders:
        holder.buffer = places[holder.buffer]
    model.metadataBuffer = None
