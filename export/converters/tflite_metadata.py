"""What a TFLite file says of itself: labels, and how raw input becomes its numbers, as one JSON entry."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from export.converters.integer_form import InputKind
from export.converters.tflite_graph import TFLiteGraph, as_bytes
from export.errors import ManifestError

ENTRY = "keraport"
MOST_BYTES = 400  # a microcontroller's flash holds it too
PIXEL_STEPS = {"UINT8": "as they are", "INT8": "minus 128", "INT16": "times 128", "FLOAT32": "as floats"}


def write_metadata(content: bytes, labels: tuple[str, ...], kinds: Mapping[str, InputKind]) -> bytes:
    """Put labels and preprocessing into a TFLite file, in at most 400 bytes that are the same every time.

    Args:
        content: of the file.
        labels: one text a class; where they are too long, their number takes their place.
        kinds: what each input takes.

    Returns:
        The file with the entry.
    """
    graph = TFLiteGraph(content)
    inputs = {name: _meaning(graph, tensor, kinds[name]) for name, tensor in sorted(graph.inputs().items())}
    data = _encode({"inputs": inputs, "labels": list(labels)})
    if len(data) > MOST_BYTES:
        data = _encode({"inputs": inputs, "labels_left_out": len(labels)})
    if len(data) > MOST_BYTES:
        data = _encode({"labels_left_out": len(labels)})
    model, schema = graph.model, graph.schema
    model.buffers.append(schema.BufferT(data=as_bytes(np.frombuffer(data, np.uint8))))
    entry = schema.MetadataT(name=ENTRY.encode(), buffer=len(model.buffers) - 1)
    kept = [other for other in model.metadata or () if other.name != ENTRY.encode()]
    model.metadata = [*kept, entry]
    return graph.pack()


def read_metadata(path: Path) -> dict[str, Any]:
    """What a TFLite file says of itself.

    Returns:
        `labels`, one text a class, or `labels_left_out`, their number; `inputs`, text by input name; nothing
        of a file that another tool made.

    Raises:
        ManifestError: it is no TFLite file.
    """
    try:
        model = TFLiteGraph(path.read_bytes()).model
    except Exception as error:
        raise ManifestError(f"{path} is no TFLite file: export it again") from error
    for entry in model.metadata or ():
        if entry.name == ENTRY.encode():
            found: dict[str, Any] = json.loads(bytes(model.buffers[entry.buffer].data))
            return found
    return {}


def _meaning(graph: TFLiteGraph, tensor: int, kind: InputKind) -> str:
    if kind is not InputKind.PIXELS:
        return kind.value
    return f"{kind.value} {PIXEL_STEPS[graph.dtype(tensor)]}"


def _encode(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
