"""Keras to SavedModel."""

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

from export.converters.signature import FixedShape, Signature
from export.errors import ConversionError, first_line

if TYPE_CHECKING:
    import keras

DISK_FULL = (
    "No space left",
    "RESOURCE_EXHAUSTED",
    "Disk quota exceeded",
)  # as TensorFlow's file system words it


def export_saved_model(
    model: "keras.Model",
    path: Path,
    *,
    fixed: FixedShape | None = None,
    dropped: frozenset[str] = frozenset(),
) -> Path:
    """Write a SavedModel whose `serving_default` takes named inputs and returns named outputs.

    Args:
        model: the trained model.
        path: the folder to create.
        fixed: for devices, the one shape that it takes; None keeps the batch and all else free that is.
        dropped: outputs to leave out.

    Raises:
        ConversionError: TensorFlow cannot trace the model, or a free dimension is to be fixed to nothing.
        OSError: the disk is full.
    """
    import tensorflow as tf

    signature = Signature(model)
    module = tf.Module()
    # Its variables alone: tracking the model would trace it again, with shapes that are not asked for.
    module.variables_of_model = [variable.value for variable in model.variables]
    inputs = signature.inputs(fixed)
    try:
        module.serve = tf.function(signature.function(dropped), input_signature=inputs, autograph=False)
        serving = module.serve.get_concrete_function()
        tf.saved_model.save(module, str(path), signatures={"serving_default": serving})
    except (AssertionError, TypeError, ValueError, NotImplementedError) as error:
        raise ConversionError(f"TensorFlow cannot trace this model: {_reason(error)}") from error
    except tf.errors.OpError as error:
        if any(text in str(error) for text in DISK_FULL):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise ConversionError(f"TensorFlow cannot write this model: {first_line(error)}") from error
    return path


def _reason(error: Exception) -> str:
    """What is wrong, which TensorFlow says last, below where it happened."""
    if "untracked" in str(error):
        return "a layer holds a table or file of its own: look values up before the model"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    marked = [line for line in lines if "Error" in line.split(":")[0]]
    return (marked[-1] if marked else first_line(error))[:300]
