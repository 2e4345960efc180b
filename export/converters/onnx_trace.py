"""A Keras model traced by TensorFlow and translated by tf2onnx, operator by operator."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from export.converters.onnx_names import all_nodes, traced_path
from export.converters.onnx_operators import HANDLERS
from export.converters.onnx_order import insertion_order
from export.converters.signature import Signature
from export.errors import ConversionError, first_line

if TYPE_CHECKING:
    import keras
    import onnx

OPSET = 18
MOST_NAMED = 3  # of what is refused, in one message


def trace_onnx(model: "keras.Model") -> "onnx.ModelProto":
    """Translate a model; the graph is tf2onnx's own, to be cleaned.

    Returns:
        A model whose inputs and outputs have their Keras names.

    Raises:
        ConversionError: Keras cannot trace the model, or an operator has no translation; the message names
            it and its layer.
    """
    import tensorflow as tf
    import tf2onnx

    signature = Signature(model)
    specs = signature.inputs(None)
    try:
        with _functions_inlined():
            traced = tf.function(signature.function()).get_concrete_function(*specs)
    except Exception as error:
        raise ConversionError(f"Keras cannot trace this model: {_reason(error)}") from error
    # The rest are weights and other constants, which freezing puts into the graph.
    inputs = [tensor.name for tensor in traced.inputs[: len(specs)]]
    outputs = [tensor.name for tensor in traced.outputs]
    names = dict(zip(inputs, (spec.name for spec in specs), strict=True))
    names |= dict(zip(outputs, sorted(traced.structured_outputs), strict=True))
    with _errors_of_tf2onnx() as errors, insertion_order():
        try:
            # from_function would turn constants that a model holds into inputs, from_keras knows no Keras 3.
            proto, _ = tf2onnx.convert.from_graph_def(
                tf2onnx.tf_loader.from_function(traced, inputs, outputs),
                name=model.name,
                input_names=inputs,
                output_names=outputs,
                opset=OPSET,
                tensors_to_rename=names,
                custom_op_handlers=HANDLERS,
            )
        except Exception as error:
            raise ConversionError(f"tf2onnx cannot express this model: {first_line(error)}") from error
    proto.graph.name = model.name
    _refuse_untranslated(proto, layer_names(model), errors)
    translated: onnx.ModelProto = proto
    return translated


def layer_names(model: "keras.Model") -> tuple[str, ...]:
    """The names of all layers, nested ones too, each once."""
    return tuple(dict.fromkeys(layer.name for layer in model._flatten_layers(include_self=False)))


@contextmanager
def _functions_inlined() -> Iterator[None]:
    """Trace functions inside the model as part of it: tf2onnx sees none, as Keras's grouped convolution."""
    import tensorflow as tf

    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def _reason(error: Exception) -> str:
    """What an error says; TensorFlow's begin with the way to it, Keras sets its reason in bold."""
    text = str(error)
    if reason := re.search(r"\x1b\[1m(.+?)\x1b\[0m", text):
        return reason[1][:300]
    named = re.search(r"^\s*(\w+(?:Error|Exception): .+)$", text, re.MULTILINE)
    return named[1][:300] if named else first_line(error)


@contextmanager
def _errors_of_tf2onnx() -> Iterator[list[str]]:
    """Collect what tf2onnx logs as errors; it goes on after them, with a graph that is none."""
    lines: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logger, collector = logging.getLogger("tf2onnx"), Collector(logging.ERROR)
    logger.addHandler(collector)
    try:
        yield lines
    finally:
        logger.removeHandler(collector)


def _refuse_untranslated(proto: "onnx.ModelProto", layers: tuple[str, ...], errors: list[str]) -> None:
    path = traced_path(layers)
    found = {
        (path(node.name) or node.name, node.op_type) for node in all_nodes(proto.graph) if _foreign(node)
    }
    for line in errors:
        if failed := re.match(r"(?s)Failed to convert node '(.+?)'.*OP=(\w+)", line):
            found.add((path(failed[1]) or failed[1], failed[2]))
    if not found:
        return
    named = [f"layer {layer!r} needs {operator}" for layer, operator in sorted(found)[:MOST_NAMED]]
    more = f" (and {len(found) - MOST_NAMED} more)" if len(found) > MOST_NAMED else ""
    raise ConversionError(
        f"{', '.join(named)}{more}, which tf2onnx cannot express in ONNX: build the model without it, "
        "or leave the ONNX formats out"
    )


def _foreign(node: "onnx.NodeProto") -> bool:
    """Whether an operator is TensorFlow's still."""
    import onnx

    return node.domain not in ("", "ai.onnx") or not onnx.defs.has(node.op_type)
