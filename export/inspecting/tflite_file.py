"""What a TFLite file holds, read from its flatbuffer; no interpreter is made."""

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from export.errors import SourceError, first_line
from export.inspecting.contents import Contents, Kind, OperatorFacts, TensorFacts

IDENTIFIER = b"TFL3"
FLOATS = ("float16", "float32", "float64", "bfloat16")


def inspect_tflite(path: Path) -> Contents:
    """Read a TFLite file.

    Raises:
        SourceError: it is none.
    """
    from ai_edge_litert import schema_py_generated as schema

    content = path.read_bytes()
    if content[4:8] != IDENTIFIER:
        raise SourceError(f"{path} is no TFLite file: export it again")
    try:
        return _Reader(schema, content).contents()
    # A damaged flatbuffer leads its reader anywhere: what that raises is no closed list.
    except Exception as error:
        raise SourceError(f"{path} is damaged ({first_line(error)}): export it again") from error


class _Reader:
    """One file's tables, by the schema that LiteRT brings."""

    def __init__(self, schema: Any, content: bytes) -> None:  # noqa: ANN401  (a generated module)
        self._model = schema.Model.GetRootAs(content, 0)
        self._operators = _names(schema.BuiltinOperator)
        self._types = {number: name.lower() for number, name in _names(schema.TensorType).items()}
        self._custom = schema.BuiltinOperator.CUSTOM

    def contents(self) -> Contents:
        model = self._model
        graphs = [model.Subgraphs(number) for number in range(model.SubgraphsLength())]
        operators = self._operator_facts(graphs)
        weights: Counter[str] = Counter()
        weight_bytes = floats = 0
        for graph in graphs:
            for tensor in _tensors(graph):
                dtype = self._dtype(tensor)
                floats += dtype in FLOATS
                stored = model.Buffers(tensor.Buffer()).DataLength()
                if stored:
                    weights[dtype] += math.prod(_shape(tensor))
                    weight_bytes += stored
        inputs, outputs = self._signature(graphs[0])
        versions = {"schema": str(model.Version())}
        if model.Description():
            versions["producer"] = _text(model.Description())
        return Contents(
            kind=Kind.TFLITE,
            inputs=inputs,
            outputs=outputs,
            operators=operators,
            weights=dict(weights),
            weight_bytes=weight_bytes,
            float_tensors=floats,
            versions=versions,
            metadata=self._metadata(),
            custom=tuple(operator.name for operator in operators if operator.custom),
        )

    def _operator_facts(self, graphs: list[Any]) -> tuple[OperatorFacts, ...]:
        counts: Counter[int] = Counter()
        for graph in graphs:
            for number in range(graph.OperatorsLength()):
                counts[graph.Operators(number).OpcodeIndex()] += 1
        found: Counter[tuple[str, int, bool]] = Counter()
        for index, count in counts.items():
            code = self._model.OperatorCodes(index)
            # The first 127 builtin codes fitted into a byte, which old files alone fill.
            number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
            custom = number == self._custom
            name = _text(code.CustomCode() or b"") if custom else self._operators.get(number, f"#{number}")
            found[name, code.Version(), custom] += count
        return tuple(
            OperatorFacts(name=name, version=version, count=count, custom=custom)
            for (name, version, custom), count in sorted(found.items())
        )

    def _signature(self, graph: Any) -> tuple[tuple[TensorFacts, ...], tuple[TensorFacts, ...]]:  # noqa: ANN401
        """Inputs and outputs under the signature's names; the tensors' own where there is none."""
        if self._model.SignatureDefsLength():
            signature = self._model.SignatureDefs(0)
            graph = self._model.Subgraphs(signature.SubgraphIndex())
            inputs = [signature.Inputs(number) for number in range(signature.InputsLength())]
            outputs = [signature.Outputs(number) for number in range(signature.OutputsLength())]
            return (
                tuple(self._tensor(graph.Tensors(one.TensorIndex()), one.Name()) for one in inputs),
                tuple(self._tensor(graph.Tensors(one.TensorIndex()), one.Name()) for one in outputs),
            )
        inputs = [graph.Tensors(graph.Inputs(number)) for number in range(graph.InputsLength())]
        outputs = [graph.Tensors(graph.Outputs(number)) for number in range(graph.OutputsLength())]
        return (
            tuple(self._tensor(tensor, tensor.Name()) for tensor in inputs),
            tuple(self._tensor(tensor, tensor.Name()) for tensor in outputs),
        )

    def _tensor(self, tensor: Any, name: bytes | None) -> TensorFacts:  # noqa: ANN401
        quantization = tensor.Quantization()
        quantized = quantization is not None and quantization.ScaleLength() > 0
        zero_points = quantization.ZeroPointLength() if quantized else 0
        signature = [int(tensor.ShapeSignature(number)) for number in range(tensor.ShapeSignatureLength())]
        return TensorFacts(
            name=_text(name or b""),
            dtype=self._dtype(tensor),
            shape=tuple(signature or _shape(tensor)),
            scale=float(quantization.Scale(0)) if quantized else None,
            zero_point=int(quantization.ZeroPoint(0)) if zero_points else None,
        )

    def _metadata(self) -> dict[str, str]:
        model = self._model
        entries = [model.Metadata(number) for number in range(model.MetadataLength())]
        return {
            _text(entry.Name() or b""): f"{model.Buffers(entry.Buffer()).DataLength():,} bytes"
            for entry in entries
        }

    def _dtype(self, tensor: Any) -> str:  # noqa: ANN401
        return self._types.get(tensor.Type(), f"unknown type {tensor.Type()}")


def _names(table: type) -> dict[int, str]:
    return {number: name for name, number in vars(table).items() if isinstance(number, int)}


def _tensors(graph: Any) -> Iterator[Any]:  # noqa: ANN401
    return (graph.Tensors(number) for number in range(graph.TensorsLength()))


def _shape(tensor: Any) -> list[int]:  # noqa: ANN401
    return [int(tensor.Shape(number)) for number in range(tensor.ShapeLength())]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
