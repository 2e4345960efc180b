"""What a `.keras` file holds, read from its JSON and its weights' index; nothing is deserialised or run."""

import io
import math
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from export.errors import SourceError, first_line
from export.inspecting.contents import Contents, Kind, LayerFacts, TensorFacts

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MAX_JSON_BYTES = 64 * 1024 * 1024
MAX_WEIGHTS_BYTES = 2 << 30
MAX_PACKED_BYTES = 256 * 1024 * 1024  # unpacked size of weights that are compressed, which Keras never does
LAMBDAS = ("Lambda", "__lambda__")


def inspect_keras(path: Path) -> Contents:
    """Read a `.keras` file.

    Raises:
        SourceError: it is none.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            config = msgspec.json.decode(_read(archive, CONFIG, MAX_JSON_BYTES))
            about = msgspec.json.decode(_read(archive, METADATA, MAX_JSON_BYTES), type=dict[str, Any])
            weights = _weights(archive)
        return _contents(config, about, weights)
    except SourceError:
        raise
    # What a damaged archive or file of weights raises is no closed list.
    except Exception as error:
        raise SourceError(
            f"{path} is no .keras file ({first_line(error)}): save the model with model.save('NAME.keras')"
        ) from error


def _read(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    size = archive.getinfo(name).file_size
    if size > limit:
        raise SourceError(f"{archive.filename}: {name} unpacks to {size:,} bytes, over {limit:,}: not opened")
    return archive.read(name)


def _contents(config: dict[str, Any], about: dict[str, Any], weights: "_Weights | None") -> Contents:
    own = config["config"] if isinstance(config.get("config"), dict) else {}
    layers = [layer for layer in own.get("layers", ()) if isinstance(layer, dict)]
    custom = sorted(set(_custom(config)))
    lambdas = any(name in LAMBDAS for name in custom)
    return Contents(
        kind=Kind.KERAS,
        inputs=tuple(_input(layer) for layer in layers if layer.get("class_name") == "InputLayer"),
        outputs=tuple(TensorFacts(name=name) for name in _output_names(own, layers)),
        layers=tuple(
            LayerFacts(
                name=_name(layer),
                class_name=str(layer.get("class_name")),
                parameters=weights.by_layer.get(_name(layer), 0) if weights else None,
            )
            for layer in layers
        ),
        weights=weights.by_dtype if weights else {},
        weight_bytes=weights.bytes if weights else None,
        versions={"Keras": str(about.get("keras_version", "unknown"))},
        metadata={
            "model": str(own.get("name", "")),
            "class": str(config.get("class_name", "")),
            "saved": str(about.get("date_saved", "")),
        },
        custom=tuple(custom),
        notes=("a Lambda layer holds code, which keraport does not run",) if lambdas else (),
    )


def _name(layer: dict[str, Any]) -> str:
    config = layer.get("config")
    return str(layer.get("name") or (config.get("name", "") if isinstance(config, dict) else ""))


def _input(layer: dict[str, Any]) -> TensorFacts:
    config = layer["config"]
    shape = config.get("batch_shape") or config.get("batch_input_shape") or ()
    dtype = config.get("dtype")
    return TensorFacts(
        name=_name(layer),
        dtype=dtype if isinstance(dtype, str) else None,
        shape=tuple(size if isinstance(size, int) else -1 for size in shape),
    )


def _output_names(own: dict[str, Any], layers: list[dict[str, Any]]) -> list[str]:
    """The outputs' names; of a Sequential model the last layer's."""
    outputs = own.get("output_layers")
    if isinstance(outputs, dict):
        return list(outputs)
    if isinstance(outputs, list) and outputs:
        several = outputs if isinstance(outputs[0], list) else [outputs]
        return [str(entry[0]) for entry in several]
    return [_name(layers[-1])] if layers else []


def _custom(config: dict[str, Any]) -> Iterator[str]:
    """Names of classes and functions that are not Keras's own, and of Lambda layers."""
    waiting: list[Any] = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting.extend(part)
        if not isinstance(part, dict):
            continue
        waiting.extend(part.values())
        kind, module = part.get("class_name"), part.get("module")
        if kind in LAMBDAS:
            yield str(kind)
        elif isinstance(kind, str) and "module" in part and str(module).split(".")[0] != "keras":
            yield str(part["config"]) if kind == "function" else kind


class _Weights:
    """Counts of the numbers in a file of weights."""

    def __init__(self) -> None:
        self.by_layer: Counter[str] = Counter()
        self.by_dtype: Counter[str] = Counter()
        self.bytes = 0


def _weights(archive: zipfile.ZipFile) -> _Weights | None:
    """Read the index of the weights; None where there are none in one file, or no h5py to read it with."""
    if WEIGHTS not in archive.namelist():
        return None
    try:
        import h5py
    except ImportError:
        return None
    stored = archive.getinfo(WEIGHTS).compress_type == zipfile.ZIP_STORED
    content = _read(archive, WEIGHTS, MAX_WEIGHTS_BYTES if stored else MAX_PACKED_BYTES)
    found = _Weights()
    with h5py.File(io.BytesIO(content), "r") as file:

        def visit(name: str, item: Any) -> None:  # noqa: ANN401  (a group or a data set)
            if not isinstance(item, h5py.Dataset) or name.startswith("optimizer/"):
                return
            # Keras names groups after classes; the layer's own name is an attribute beside its weights.
            parts = name.split("/")
            group = f"layers/{parts[1]}/vars" if parts[0] == "layers" else "vars"
            layer = file[group].attrs.get("name", "") if group in file else ""
            found.by_layer[str(layer)] += math.prod(item.shape)
            found.by_dtype[str(item.dtype)] += math.prod(item.shape)
            found.bytes += math.prod(item.shape) * item.dtype.itemsize

        file.visititems(visit)  # follows no link that leaves the file
    return found
