"""Keras to SavedModel."""

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

from export.errors import ConversionError, first_line
from export.signature import Signature

if TYPE_CHECKING:
    import keras


def export_saved_model(model: "keras.Model", path: Path, *, batch: int | None = None) -> Path:
    """Write a SavedModel whose `serving_default` takes named inputs and returns named outputs.

    Args:
        model: the trained model.
        path: the folder to create.
        batch: samples a call; None for any number.

    Raises:
        ConversionError: Keras cannot trace the model.
        OSError: the disk is full.
    """
    import keras
    import tensorflow as tf

    signature = Signature(model)
    archive = keras.export.ExportArchive()
    archive.track(model)
    try:
        archive.add_endpoint("serve", signature.function(), input_signature=signature.inputs(batch))
        archive.write_out(path, verbose=False)
    except (TypeError, ValueError) as error:
        raise ConversionError(f"Keras cannot export this model: {first_line(error)}") from error
    except tf.errors.OpError as error:
        if "No space left" in str(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise ConversionError(f"TensorFlow cannot write this model: {first_line(error)}") from error
    return path
