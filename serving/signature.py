"""Whether a model file, and what it answers, are what its manifest says."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from export.manifest import DATATYPES, Manifest, TensorInfo
from export.runner import Answer
from serving.errors import ModelRefused, shortened

# onnxruntime's names of the protocol's datatypes.
ELEMENTS: Mapping[str, str] = {
    "BOOL": "bool",
    "BYTES": "string",
    "BF16": "bfloat16",
    "FP16": "float16",
    "FP32": "float",
    "FP64": "double",
    **{name: name.lower() for name in DATATYPES if name.startswith(("INT", "UINT"))},
}
KNOWN_TYPES = frozenset(f"tensor({element})" for element in ELEMENTS.values())

CLASS_SCORES = ("logits", "probabilities")


class Node(Protocol):
    """What onnxruntime says of an input or output."""

    @property
    def name(self) -> str:
        """As the graph calls it."""
        ...

    @property
    def type(self) -> str:
        """Such as `tensor(float)`."""
        ...

    @property
    def shape(self) -> Sequence[Any]:
        """Whole numbers; None or a name for a free dimension; nothing at all if it is not known."""
        ...


def check_file(manifest: Manifest, inputs: Iterable[Node], outputs: Iterable[Node]) -> None:
    """Compare a manifest with what onnxruntime says of the file.

    Raises:
        ModelRefused: they differ, the manifest contradicts itself, or there is nothing to batch along.
    """
    _check_tensors("inputs", manifest.inputs, {node.name: node for node in inputs})
    _check_tensors("outputs", manifest.outputs, {node.name: node for node in outputs})
    # A model may have several heads; the labels are of one of them.
    classes = {tensor.shape[-1] for tensor in manifest.outputs if tensor.meaning in CLASS_SCORES}
    if manifest.labels and classes and not classes & {-1, len(manifest.labels)}:
        counts = " or ".join(map(str, sorted(classes)))
        raise ModelRefused(
            f"the manifest has {len(manifest.labels)} labels for {counts} classes: export it again"
        )


def check_answer(manifest: Manifest, answer: Answer, rows: int) -> None:
    """Compare what a run of so many rows gave with the manifest.

    Raises:
        ModelRefused: an output has another dtype or shape.
    """
    for tensor in manifest.outputs:
        array = np.asarray(answer[tensor.name])
        if array.dtype != DATATYPES[tensor.datatype] or not _fits(array.shape, (rows, *tensor.shape[1:])):
            raise ModelRefused(
                f"{rows} rows gave {tensor.name} as {array.dtype} {list(array.shape)}, the manifest says "
                f"{_text(tensor)}: export it again"
            )


def _check_tensors(kind: str, tensors: Sequence[TensorInfo], nodes: Mapping[str, Node]) -> None:
    # Lists, for the manifest must not name one twice either.
    if sorted(tensor.name for tensor in tensors) != sorted(nodes):
        names = ", ".join(nodes)
        raise ModelRefused(f"the file's {kind} are {names}, not the manifest's: export it again")
    for tensor in tensors:
        if tensor.shape[:1] != (-1,):
            raise ModelRefused(
                f"{tensor.name} has no free first dimension to batch along: export the model with one"
            )
        node = nodes[tensor.name]
        if node.type not in KNOWN_TYPES:
            raise ModelRefused(
                f"{tensor.name} is {node.type}, for which the protocol has no datatype: cast it in the model"
            )
        element = ELEMENTS.get(tensor.datatype)
        if node.type != f"tensor({element})" or not _allows(node.shape, tensor.shape):
            shape = [size if isinstance(size, int) else -1 for size in node.shape]
            raise ModelRefused(
                f"the file's {tensor.name} is {node.type} {shape}, the manifest says {_text(tensor)}: "
                "export it again"
            )


def _allows(found: Sequence[Any], said: Sequence[int]) -> bool:
    """Whether every array of the shape that is said is one of the file's; a file may leave more free."""
    return not found or (
        len(found) == len(said)
        and all(size >= -1 for size in said)
        and all(not isinstance(size, int) or size == want for size, want in zip(found, said, strict=True))
    )


def _fits(shape: Sequence[int], wanted: Sequence[int]) -> bool:
    return len(shape) == len(wanted) and all(
        want in (-1, size) for size, want in zip(shape, wanted, strict=True)
    )


def _text(tensor: TensorInfo) -> str:
    return f"{shortened(tensor.datatype)} {shortened(str(list(tensor.shape)))}"
